#include "help.h"

#include <algorithm>

#include "terminal.h"

namespace weft::cli {
namespace {

constexpr size_t kColumn = 28, kWidth = 100;

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : std::string(separator)) + part;
  return text;
}

// `left` in a column, `right` beside it, wrapped between words.
std::string row(const std::string& left, const std::string& right) {
  std::string line = "  " + left;
  line += line.size() + 2 > kColumn ? "\n" + std::string(kColumn, ' ') : std::string(kColumn - line.size(), ' ');
  std::string text;
  size_t column = kColumn;
  for (size_t at = 0; at < right.size();) {
    size_t end = right.find(' ', at);
    if (end == std::string::npos) end = right.size();
    if (column > kColumn && column + 1 + (end - at) > kWidth) {
      text += "\n" + std::string(kColumn, ' ');
      column = kColumn;
    } else if (column > kColumn) {
      text += ' ', ++column;
    }
    text += right.substr(at, end - at);
    column += end - at;
    at = end + 1;
  }
  return line + text + "\n";
}

std::string names_of(const OptionInfo& option) {
  return join(option.names, ", ") + (option.value.empty() ? "" : " " + option.value);
}

std::string usage_of(const CommandInfo& command) {
  std::string text = "weft " + command.name;
  for (const OptionInfo& option : command.options) {
    if (!option.positional) continue;
    std::string name = option.names[0];
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::toupper(c); });
    text += option.required ? " " + name : " [" + name + "]";
  }
  return text + " [options]";
}

// Headings in order of appearance; -h comes last.
std::vector<std::string> groups_of(const CommandInfo& command) {
  std::vector<std::string> groups;
  for (const OptionInfo& option : command.options) {
    if (std::find(groups.begin(), groups.end(), option.group) == groups.end()) groups.push_back(option.group);
  }
  return groups;
}

// Where the indented lines end.
size_t examples_end(std::string_view text) {
  size_t at = 0;
  while (at < text.size() && text[at] == ' ') at = std::min(text.find('\n', at), text.size() - 1) + 1;
  return at;
}

std::string roff(std::string_view text) {
  std::string out;
  bool line_start = true;
  for (const char c : text) {
    if (line_start && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
    line_start = c == '\n';
  }
  return out;
}

}  // namespace

std::string program_help(const ProgramInfo& program) {
  std::string text = styled(stdout, Style::bold, "weft") +
                     " runs language models from GGUF and safetensors files.\n\n" +
                     "Usage: weft COMMAND [options]\n\n" + styled(stdout, Style::bold, "Commands") + "\n";
  for (const CommandInfo& command : program.commands) text += row(command.name, command.summary);
  text += "\n" + styled(stdout, Style::bold, "Options") + "\n";
  text += row("-h, --help", "show this help; after a command: its options and examples");
  text += row("--version", "show the version");
  text +=
      "\nWithout -m, commands use the built-in story model. Start with:\n"
      "  weft generate -p \"Once upon a time\"\n";
  return text;
}

std::string command_help(const CommandInfo& command) {
  std::string text = styled(stdout, Style::bold, usage_of(command)) + "\n" + command.summary + ".\n";
  for (const std::string& group : groups_of(command)) {
    text += "\n" + styled(stdout, Style::bold, group) + "\n";
    for (const OptionInfo& option : command.options) {
      if (option.group == group) text += row(names_of(option), option.help);
    }
  }
  text += "\n" + styled(stdout, Style::bold, "Examples") + "\n";
  // Lines that are not indented are remarks.
  const size_t remarks = examples_end(command.examples);
  text += command.examples.substr(0, remarks);
  return remarks < command.examples.size() ? text + "\n" + command.examples.substr(remarks) : text;
}

std::string man_page(const ProgramInfo& program, std::string_view version) {
  std::string text = ".\\\" Made by `weft completion man` from the definition of the command line.\n";
  text += ".TH WEFT 1 \"\" \"weft " + std::string(version) + "\" \"User Commands\"\n";
  text += ".SH NAME\nweft \\- run language models from ordinary model files\n.SH SYNOPSIS\n";
  for (const CommandInfo& command : program.commands) text += ".B " + roff(usage_of(command)) + "\n.br\n";
  text +=
      ".SH DESCRIPTION\nWeft runs language models from GGUF and safetensors files. Without \\fB\\-m\\fR, commands use "
      "the built\\-in story model.\n.SH COMMANDS\n";
  for (const CommandInfo& command : program.commands) {
    text += ".SS " + roff(usage_of(command)) + "\n" + roff(command.summary) + ".\n";
    for (const OptionInfo& option : command.options) {
      if (option.names[0] == "-h") continue;
      text += ".TP\n\\fB" + roff(join(option.names, ", ")) + "\\fR";
      text += option.value.empty() ? "\n" : " \\fI" + roff(option.value) + "\\fR\n";
      text += roff(option.help) + ".\n";
    }
    const size_t remarks = examples_end(command.examples);
    if (remarks < command.examples.size()) text += ".PP\n" + roff(command.examples.substr(remarks));
    text += ".PP\nExamples:\n.nf\n" + roff(command.examples.substr(0, remarks)) + ".fi\n";
  }
  text +=
      ".SH EXIT STATUS\n0 on success, 1 on an error (one line on standard error), 2 for wrong usage, 130 when "
      "stopped by Ctrl\\-C.\n.SH ENVIRONMENT\n"
      ".TP\n\\fBWEFT_CACHE\\fR\nWhere \\fBweft pull\\fR keeps files; otherwise $XDG_CACHE_HOME/weft or ~/.cache/weft.\n"
      ".TP\n\\fBHF_ENDPOINT\\fR, \\fBHF_TOKEN\\fR\nThe Hugging Face server and the access token for it.\n"
      ".TP\n\\fBNO_COLOR\\fR\nNo colours, even on a terminal.\n";
  return text;
}

}  // namespace weft::cli
