// Completion scripts are complete in themselves: pressing Tab starts no program.
#include <algorithm>

#include "help.h"

namespace weft::cli {
namespace {

std::string words(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : " ") + part;
  return text;
}

// For a single-quoted word of a POSIX shell.
std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// In a zsh spec, colons and brackets separate parts.
std::string zsh_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string command_words(const ProgramInfo& program) {
  std::string text;
  for (const CommandInfo& command : program.commands) text += (text.empty() ? "" : " ") + command.name;
  return text;
}

}  // namespace

std::string bash_completion(const ProgramInfo& program) {
  std::string text =
      "# bash completion for weft; load with: source <(weft completion bash)\n"
      "_weft() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
      "  COMPREPLY=()\n"
      "  if ((COMP_CWORD == 1)); then\n"
      "    COMPREPLY=($(compgen -W '" +
      command_words(program) +
      " --help --version' -- \"$word\"))\n"
      "    return\n"
      "  fi\n"
      "  case ${COMP_WORDS[1]} in\n";
  for (const CommandInfo& command : program.commands) {
    std::string all, by_value, positional;
    for (const OptionInfo& option : command.options) {
      if (option.positional) {
        if (!option.choices.empty()) positional += " " + words(option.choices);
        continue;
      }
      all += (all.empty() ? "" : " ") + words(option.names);
      if (option.value.empty()) continue;
      std::string pattern;
      for (const std::string& name : option.names) pattern += (pattern.empty() ? "" : "|") + name;
      by_value += "        " + pattern + ") ";
      if (!option.choices.empty())
        by_value += "COMPREPLY=($(compgen -W '" + words(option.choices) + "' -- \"$word\")); ";
      if (option.file) by_value += "compopt -o filenames; COMPREPLY=($(compgen -f -- \"$word\")); ";
      by_value += "return ;;\n";
    }
    text += "    " + command.name + ")\n      case $before in\n" + by_value + "      esac\n";
    text += "      if [[ $word == -* ]]; then COMPREPLY=($(compgen -W '" + all + "' -- \"$word\")); return; fi\n";
    if (!positional.empty()) text += "      COMPREPLY=($(compgen -W '" + positional.substr(1) + "' -- \"$word\"))\n";
    text += "      compopt -o filenames; COMPREPLY+=($(compgen -f -- \"$word\")) ;;\n";
  }
  return text + "  esac\n}\ncomplete -F _weft weft\n";
}

std::string zsh_completion(const ProgramInfo& program) {
  std::string text =
      "#compdef weft\n# zsh completion for weft; load with: source <(weft completion zsh)\n"
      "_weft() {\n  local -a commands\n  commands=(\n";
  for (const CommandInfo& command : program.commands) {
    text += "    " + quoted(zsh_text(command.name) + ":" + command.summary) + "\n";
  }
  text +=
      "  )\n  if ((CURRENT == 2)); then _describe command commands; return; fi\n"
      "  local command=$words[2]\n  shift words; ((CURRENT--))\n  case $command in\n";
  for (const CommandInfo& command : program.commands) {
    text += "    " + command.name + ") _arguments -s";
    for (const OptionInfo& option : command.options) {
      std::string action;
      if (!option.choices.empty())
        action = "(" + words(option.choices) + ")";
      else if (option.file)
        action = "_files";
      if (option.positional) {
        text += " \\\n      " +
                quoted(std::string(option.required ? ":" : "::") + zsh_text(option.names[0]) + ":" + action);
        continue;
      }
      for (const std::string& name : option.names) {
        std::string spec = (option.repeats ? "*" : "") + name + "[" + zsh_text(option.help) + "]";
        if (!option.value.empty()) spec += ":" + zsh_text(option.value) + ":" + action;
        text += " \\\n      " + quoted(spec);
      }
    }
    text += " ;;\n";
  }
  return text + "  esac\n}\nif [[ $funcstack[1] == _weft ]]; then _weft \"$@\"; else compdef _weft weft; fi\n";
}

std::string fish_completion(const ProgramInfo& program) {
  std::string text = "# fish completion for weft; load with: weft completion fish | source\ncomplete -c weft -f\n";
  for (const CommandInfo& command : program.commands) {
    text += "complete -c weft -n __fish_use_subcommand -a " + command.name + " -d " + quoted(command.summary) + "\n";
    const std::string begin = "complete -c weft -n '__fish_seen_subcommand_from " + command.name + "'";
    for (const OptionInfo& option : command.options) {
      std::string line = begin;
      if (!option.positional) {
        for (const std::string& name : option.names) {
          line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
        }
        if (!option.value.empty()) line += " -r";
        line += " -d " + quoted(option.help);
      }
      if (option.file)
        line += " -F";
      else if (!option.choices.empty())
        line += " -a " + quoted(words(option.choices));
      else if (option.positional)
        continue;
      text += line + "\n";
    }
  }
  return text;
}

}  // namespace weft::cli
