#include "args.h"

#include <strings.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

namespace weft::cli {
namespace {

// Facts about an option that CLI11 keeps in no form that could be read back.
struct Extra {
  std::vector<std::string> choices;
  double low = -HUGE_VAL, high = HUGE_VAL;
  bool file = false, positional = false, repeats = false;
};

std::string number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

template <class T>
std::string parse_number(const std::string& text, T& out) {
  const char* first = text.data() + (text.starts_with('+') ? 1 : 0);
  if constexpr (std::is_floating_point_v<T>) {
    // libc++ 19 has no from_chars for floating point; strtod in the C locale is the same.
    char* end = nullptr;
    out = static_cast<T>(std::strtod(first, &end));
    return text.empty() || *end ? "is not a number" : "";
  } else {
    const auto [end, error] = std::from_chars(first, text.data() + text.size(), out);
    if (error == std::errc::result_out_of_range) return "is too large";
    return error != std::errc{} || end != text.data() + text.size() ? "is not a whole number" : "";
  }
}

// One line; CLI11's own messages are kept where they already name the option.
std::string one_line(std::string text) {
  for (char& c : text) c = c == '\n' || c == '\r' ? ' ' : c;
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

}  // namespace

struct Args::Impl {
  CLI::App* app = nullptr;
  CLI::Option* last = nullptr;
  std::string group = "Options";
  std::map<const CLI::Option*, Extra>* extras = nullptr;
};

Args& Args::add(const std::string& names, const std::string& help, std::function<std::string(const std::string&)> set) {
  auto* extras = impl_->extras;
  auto slot = std::make_shared<CLI::Option*>(nullptr);
  CLI::Option* option = impl_->app->add_option(names, [set, slot, extras](const CLI::results_t& values) {
    const Extra& extra = (*extras)[*slot];
    for (const std::string& value : values) {
      std::string wrong;
      const auto choice = std::find_if(extra.choices.begin(), extra.choices.end(),
                                       [&](const std::string& c) { return strcasecmp(c.c_str(), value.c_str()) == 0; });
      if (!extra.choices.empty() && choice == extra.choices.end()) {
        wrong = "is not one of";
        for (const std::string& each : extra.choices) wrong += " " + each;
      } else if (wrong = set(extra.choices.empty() ? value : *choice);
                 wrong.empty() && (std::isfinite(extra.low) || std::isfinite(extra.high))) {
        const double parsed = std::strtod(value.c_str(), nullptr);
        if (!(parsed >= extra.low && parsed <= extra.high)) {
          wrong = std::isfinite(extra.high) ? "is not between " + number(extra.low) + " and " + number(extra.high)
                                            : "is less than " + number(extra.low);
        }
      }
      if (!wrong.empty()) throw CLI::ValidationError((*slot)->get_name() + ": '" + value + "' " + wrong);
      if (!extra.repeats) break;  // CLI11 pads a lone "{}" with a marker of its own
    }
    return true;
  });
  *slot = option;
  option->description(help)->type_name("TEXT")->group(impl_->group)->expected(1);
  option->allow_extra_args(false);
  option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  impl_->last = option;
  (*extras)[option] = {};
  return *this;
}

Args& Args::required() { return impl_->last->required(), *this; }
Args& Args::value(std::string placeholder) { return impl_->last->type_name(std::move(placeholder)), *this; }
Args& Args::at_least(double low) { return (*impl_->extras)[impl_->last].low = low, *this; }
Args& Args::between(double low, double high) {
  Extra& extra = (*impl_->extras)[impl_->last];
  extra.low = low, extra.high = high;
  return *this;
}
Args& Args::one_of(std::vector<std::string> choices) {
  std::string joined;
  for (const std::string& choice : choices) joined += (joined.empty() ? "" : "|") + choice;
  impl_->last->type_name(joined);
  (*impl_->extras)[impl_->last].choices = std::move(choices);
  return *this;
}
Args& Args::file() {
  (*impl_->extras)[impl_->last].file = true;
  if (impl_->last->nonpositional()) impl_->last->type_name("FILE");
  return *this;
}
Args& Args::conflicts(std::string name) {
  impl_->last->excludes(impl_->app->get_option(name));
  return *this;
}
void Args::group(std::string title) { impl_->group = std::move(title); }

Args& Args::option(const std::string& names, std::string& target, const std::string& help) {
  return add(names, help, [&target](const std::string& text) { return target = text, std::string(); });
}
Args& Args::option(const std::string& names, std::optional<std::string>& target, const std::string& help) {
  return add(names, help, [&target](const std::string& text) { return target = text, std::string(); });
}
Args& Args::option(const std::string& names, int64_t& target, const std::string& help) {
  return add(names, help, [&target](const std::string& text) { return parse_number(text, target); }).value("N");
}
Args& Args::option(const std::string& names, std::optional<int64_t>& target, const std::string& help) {
  return add(names, help, [&target](const std::string& text) { return parse_number(text, target.emplace()); })
      .value("N");
}
Args& Args::option(const std::string& names, std::optional<uint64_t>& target, const std::string& help) {
  return add(names, help, [&target](const std::string& text) { return parse_number(text, target.emplace()); })
      .value("N");
}
Args& Args::option(const std::string& names, float& target, const std::string& help) {
  return add(names, help, [&target](const std::string& text) { return parse_number(text, target); }).value("X");
}
Args& Args::option(const std::string& names, std::vector<std::string>& target, const std::string& help) {
  add(names, help, [&target](const std::string& text) { return target.push_back(text), std::string(); });
  impl_->last->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  (*impl_->extras)[impl_->last].repeats = true;
  return *this;
}
Args& Args::flag(const std::string& names, bool& target, const std::string& help) {
  impl_->last = impl_->app->add_flag(names, target, help)->group(impl_->group);
  (*impl_->extras)[impl_->last] = {};
  return *this;
}
Args& Args::positional(const std::string& name, std::string& target, const std::string& help) {
  option(name, target, help).value("");
  (*impl_->extras)[impl_->last].positional = true;
  impl_->last->group("Arguments");
  return *this;
}
Args& Args::positional(const std::string& name, std::optional<std::string>& target, const std::string& help) {
  option(name, target, help).value("");
  (*impl_->extras)[impl_->last].positional = true;
  impl_->last->group("Arguments");
  return *this;
}

struct Parser::State {
  CLI::App app;
  std::vector<CommandDecl> commands;
  std::vector<CLI::App*> apps;
  std::map<const CLI::Option*, Extra> extras;
};

Parser::Parser(std::span<const CommandDecl> commands) : state_(std::make_unique<State>()) {
  CLI::App& app = state_->app;
  app.name("weft");
  app.set_help_flag("-h,--help", "show this help");
  app.set_version_flag("--version", "", "show the version");
  app.require_subcommand(1);
  state_->commands.assign(commands.begin(), commands.end());
  for (const CommandDecl& command : state_->commands) {
    CLI::App* sub = app.add_subcommand(command.name, command.summary);
    Args::Impl impl{sub, nullptr, "Options", &state_->extras};
    Args args(&impl);
    command.declare(args);
    state_->apps.push_back(sub);
  }
}

Parser::~Parser() = default;

Parsed Parser::parse(int argc, const char* const* argv) {
  Parsed parsed;
  const auto named = [&] {
    for (size_t i = 0; i < state_->apps.size(); ++i) {
      if (state_->apps[i]->parsed()) parsed.command = static_cast<int>(i);
    }
  };
  try {
    state_->app.parse(argc, argv);
    named();
  } catch (const CLI::CallForHelp&) {
    named();
    parsed.help = true;
  } catch (const CLI::CallForVersion&) {
    parsed.version = true;
  } catch (const std::exception& error) {
    named();
    if (parsed.command >= 0) {
      const std::string& name = state_->commands[parsed.command].name;
      parsed.error = name + ": " + one_line(error.what()) + " (see weft " + name + " --help)";
    } else if (argc > 1) {
      parsed.error = "unknown command '" + one_line(argv[1]) + "' (see weft --help)";
    } else {
      parsed.error = "no command given (try: weft generate -p \"Once upon a time\")";
    }
  }
  return parsed;
}

ProgramInfo Parser::describe() const {
  ProgramInfo program;
  for (size_t i = 0; i < state_->apps.size(); ++i) {
    const CLI::App* sub = state_->apps[i];
    CommandInfo command{sub->get_name(), sub->get_description(), state_->commands[i].examples, {}};
    for (const CLI::Option* option : sub->get_options({})) {
      OptionInfo info;
      for (const std::string& name : option->get_snames()) info.names.push_back("-" + name);
      for (const std::string& name : option->get_lnames()) info.names.push_back("--" + name);
      if (info.names.empty()) info.names.push_back(option->get_name());
      info.help = option->get_description();
      info.group = option->get_group();
      info.required = option->get_required();
      if (option->get_type_size() != 0) info.value = option->get_type_name();
      if (const auto extra = state_->extras.find(option); extra != state_->extras.end()) {
        info.choices = extra->second.choices;
        info.file = extra->second.file;
        info.positional = extra->second.positional;
        info.repeats = extra->second.repeats;
      }
      if (info.names[0] == "-h") info.group = "Common";
      if (info.positional) info.value.clear();
      command.options.push_back(std::move(info));
    }
    // What a command takes comes first, its help last.
    const auto rank = [](const OptionInfo& o) { return o.positional ? 0 : o.names[0] == "-h" ? 2 : 1; };
    std::stable_sort(command.options.begin(), command.options.end(),
                     [&](const OptionInfo& a, const OptionInfo& b) { return rank(a) < rank(b); });
    program.commands.push_back(std::move(command));
  }
  return program;
}

}  // namespace weft::cli
