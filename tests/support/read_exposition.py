"""Prints every sample of an exposition as Prometheus' Python client reads it.

Standard input is the exposition, the only argument its format, text or
openmetrics. One JSON array a line: name, labels, the bits of the value.
"""

import json
import struct
import sys

if sys.argv[1] == "openmetrics":
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
else:
    from prometheus_client.parser import text_string_to_metric_families

for family in text_string_to_metric_families(sys.stdin.buffer.read().decode()):
    for sample in family.samples:
        bits = struct.pack(">d", sample.value).hex()
        print(json.dumps([sample.name, sample.labels, bits]))
    print(json.dumps([family.name, family.type, family.documentation]))
