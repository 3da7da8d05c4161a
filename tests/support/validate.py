"""Validates instances against a JSON Schema, which must itself be valid.

The only argument is the schema's path. Standard input has one JSON array a line:
a name and an instance. One JSON array a line comes out: the name and what is
wrong with the instance, or null.
"""

import json
import sys

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$schema"]
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema)
for line in sys.stdin:
    name, instance = json.loads(line)
    error = best_match(validator.iter_errors(instance))
    told = error and f"{error.json_path}: {error.message}"
    print(json.dumps([name, told]))
