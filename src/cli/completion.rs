//! `-completion`: what a shell needs to complete the flags, made from their table.
//!
//! Pure. The names of jobs are asked for when they are needed, by the hidden
//! `-completion jobs`, of the supervisor that the command line means.

use super::flags::{FLAGS, Flag, Takes};

/// A shell that can complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// GNU Bash.
    Bash,
    /// Z shell.
    Zsh,
    /// fish.
    Fish,
}

/// What may stand for a value.
enum Values {
    /// Nothing that could be guessed.
    Any,
    /// A path.
    Paths,
    /// One of these words.
    Words(Vec<&'static str>),
    /// The name of a job.
    Jobs,
    /// The name of a job, and a signal behind it.
    Signals,
}

/// The signals that operators send.
const SIGNALS: &str = "HUP INT KILL QUIT TERM USR1 USR2 WINCH";

impl Flag {
    /// What may follow the flag, by the word for it in the usage.
    fn values(&self) -> Option<Values> {
        let word = match self.takes {
            Takes::Nothing => return None,
            Takes::Value(word) | Takes::Values(word) | Takes::Maybe(word) => word,
        };
        Some(match word {
            _ if self.key == "--maintenance" => Values::Words(vec!["enable", "disable"]),
            "string" => Values::Paths,
            "name" => Values::Jobs,
            "name=signal" => Values::Signals,
            word if word.contains('|') => Values::Words(word.split('|').collect()),
            _ => Values::Any,
        })
    }

    /// Its help in one line, without what a shell could take for its own.
    fn in_short(&self) -> String {
        let text = self.help().first().copied().unwrap_or_default();
        let text: String = text.chars().filter(|c| *c != '\'').collect();
        text.trim_end_matches('.').to_owned()
    }
}

/// The script for a shell.
pub fn script(shell: Shell) -> String {
    match shell {
        Shell::Bash => bash(),
        Shell::Zsh => zsh(),
        Shell::Fish => fish(),
    }
}

/// The patterns of a `case` for the flags whose values are such.
fn patterns(is_such: impl Fn(&Values) -> bool) -> String {
    let such = |flag: &&Flag| flag.values().is_some_and(|values| is_such(&values));
    let names = FLAGS.iter().filter(such).map(Flag::name);
    let patterns: Vec<String> = names.map(|name| format!("{name}|-{name}")).collect();
    patterns.join("|")
}

fn bash() -> String {
    let flags: Vec<&str> = FLAGS.iter().map(Flag::name).collect();
    let paths = patterns(|values| matches!(values, Values::Paths));
    let jobs = patterns(|values| matches!(values, Values::Jobs));
    let signals = patterns(|values| matches!(values, Values::Signals));
    let any = patterns(|values| matches!(values, Values::Any));
    let mut words = String::new();
    for flag in FLAGS {
        if let Some(Values::Words(list)) = flag.values() {
            let (name, list) = (flag.name(), list.join(" "));
            words.push_str(&format!(
                "        {name}|-{name})\n            COMPREPLY=($(compgen -W '{list}' -- \"$word\"))\n            return ;;\n"
            ));
        }
    }
    let flags = flags.join(" ");
    format!(
        r#"# bash completion for containerpilot, made by: containerpilot -completion bash
_containerpilot_jobs() {{
    local i where=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${{COMP_WORDS[i]}} in
            -config|--config|-socket|--socket) where+=("${{COMP_WORDS[i]}}" "${{COMP_WORDS[i+1]}}") ;;
        esac
    done
    "${{COMP_WORDS[0]}}" "${{where[@]}}" -completion jobs 2>/dev/null
}}
# A name may have anything in it: compgen -W would run what looks like a command.
_containerpilot_offer() {{
    local name quoted
    while IFS= read -r name; do
        printf -v quoted %q "$name"
        if [[ $word == [\'\"]* ]]; then
            # What stands between quotes must be good there as it is.
            [[ $quoted == "${{name// /\\ }}" && $name == "${{word:1}}"* ]] && COMPREPLY+=("$name$1")
        elif [[ $quoted == "$word"* || $name == "$word"* ]]; then
            COMPREPLY+=("$quoted$1")
        fi
    done < <(_containerpilot_jobs)
}}
_containerpilot() {{
    local IFS=$' \t\n' word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}}
    COMPREPLY=()
    # Bash takes the sign in -flag=value and in name=signal for a word of its own.
    if [[ $word == '=' ]]; then
        word=
    elif [[ $before == '=' ]]; then
        before=${{COMP_WORDS[COMP_CWORD-2]}}
    fi
    case $before in
        {paths})
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return ;;
        {jobs})
            _containerpilot_offer
            [[ ${{#COMPREPLY[@]}} -gt 0 ]] && return ;;
        {signals})
            compopt -o nospace
            _containerpilot_offer =
            return ;;
{words}        {any})
            return ;;
    esac
    if [[ ${{COMP_WORDS[COMP_CWORD-1]}} == '=' || ${{COMP_WORDS[COMP_CWORD]}} == '=' ]]; then
        COMPREPLY=($(compgen -W '{SIGNALS}' -- "$word"))
        return
    fi
    COMPREPLY=($(compgen -W '{flags} -help' -- "$word"))
}}
complete -F _containerpilot containerpilot
"#
    )
}

fn zsh() -> String {
    let mut specs = String::new();
    for flag in FLAGS {
        let name = flag.name();
        let many = if matches!(flag.takes, Takes::Values(_)) {
            "*"
        } else {
            ""
        };
        let gap = if matches!(flag.takes, Takes::Maybe(_)) {
            "::"
        } else {
            ":"
        };
        let help: String = flag
            .in_short()
            .chars()
            .flat_map(|c| match c {
                '[' | ']' | ':' | '\\' => vec!['\\', c],
                c => vec![c],
            })
            .collect();
        let value = match flag.values() {
            None => String::new(),
            Some(Values::Any) => format!("{gap}value: "),
            Some(Values::Paths) => format!("{gap}path:_files"),
            Some(Values::Words(words)) => format!("{gap}word:({})", words.join(" ")),
            Some(Values::Jobs) => format!("{gap}job:_containerpilot_jobs"),
            Some(Values::Signals) => format!("{gap}job and signal:_containerpilot_signals"),
        };
        specs.push_str(&format!(" \\\n        '{many}{name}[{help}]{value}'"));
    }
    format!(
        r#"#compdef containerpilot
# zsh completion for containerpilot, made by: containerpilot -completion zsh
_containerpilot_names() {{
    local -a where
    local i
    for ((i = 2; i < CURRENT; i++)); do
        case $words[i] in
            -config|--config|-socket|--socket) where+=("$words[i]" "$words[i+1]") ;;
        esac
    done
    names=("${{(@f)$($words[1] $where -completion jobs 2>/dev/null)}}")
}}
_containerpilot_jobs() {{
    local -a names
    _containerpilot_names
    compadd -a names
}}
_containerpilot_signals() {{
    local -a names
    if compset -P '*='; then
        compadd {SIGNALS}
    else
        _containerpilot_names
        compadd -S = -a names
    fi
}}
_containerpilot() {{
    _arguments{specs} \
        '-help[Show all flags and quit]'
}}
if [[ $funcstack[1] == _containerpilot ]]; then
    _containerpilot "$@"
else
    compdef _containerpilot containerpilot
fi
"#
    )
}

fn fish() -> String {
    let mut lines = String::new();
    for flag in FLAGS {
        let name = flag.name().trim_start_matches('-');
        let help = flag.in_short();
        let value = match flag.values() {
            None => String::new(),
            // What may be left out is no value that fish could insist on.
            Some(_) if matches!(flag.takes, Takes::Maybe(_)) => String::new(),
            Some(Values::Any) => " -x".to_owned(),
            Some(Values::Paths) => " -r -F".to_owned(),
            Some(Values::Words(words)) => format!(" -x -a '{}'", words.join(" ")),
            Some(Values::Jobs) => " -x -a '(__containerpilot_jobs)'".to_owned(),
            Some(Values::Signals) => " -x -a '(__containerpilot_signals)'".to_owned(),
        };
        lines.push_str(&format!(
            "complete -c containerpilot -o {name} -d '{help}'{value}\n"
        ));
    }
    let is_optional = |flag: &&Flag| matches!(flag.takes, Takes::Maybe(_));
    let optional = FLAGS.iter().filter(is_optional).map(Flag::name);
    let optional: Vec<&str> = optional.map(|name| name.trim_start_matches('-')).collect();
    let optional = optional.join("|");
    format!(
        r#"# fish completion for containerpilot, made by: containerpilot -completion fish
function __containerpilot_jobs
    set -l words (commandline -opc)
    set -l where
    for i in (seq 2 (count $words))
        if contains -- $words[$i] -config --config -socket --socket
            set where $where $words[$i] $words[(math $i + 1)]
        end
    end
    $words[1] $where -completion jobs 2>/dev/null
end
function __containerpilot_signals
    for name in (__containerpilot_jobs)
        for signal in {SIGNALS}
            echo $name=$signal
        end
    end
end
complete -c containerpilot -f
{lines}complete -c containerpilot -o help -d 'Show all flags and quit'
complete -c containerpilot -n 'string match -qr -- "^--?({optional})\$" (commandline -opc)[-1]' -a '(__containerpilot_jobs)'
"#
    )
}
