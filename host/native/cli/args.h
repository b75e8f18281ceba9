// Declares the options of a command. Only args.cc knows CLI11 (which needs exceptions); commands are built like the
// core, without exceptions, and see plain values.
//
//   args.option("-n,--max-tokens", options->max_tokens, "tokens to generate").value("N").at_least(0);
//   args.flag("--ignore-eos", options->ignore_eos, "go on past end tokens");
//   args.positional("input", options->in, "file to read").required().file();
//
// The whole definition can be read back as plain data (ProgramInfo): help, completion scripts and the man page are made
// from it and so cannot disagree with what is accepted.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace weft::cli {

class Args {
 public:
  struct Impl;
  explicit Args(Impl* impl) : impl_(impl) {}

  // Refines the option declared last.
  Args& required();
  Args& value(std::string placeholder);
  Args& at_least(double low);
  Args& between(double low, double high);  // both ends included; NaN is refused
  Args& one_of(std::vector<std::string> choices);
  Args& file();                       // the shell completes file names
  Args& conflicts(std::string name);  // not together with this option, declared earlier

  Args& option(const std::string& names, std::string& target, const std::string& help);
  Args& option(const std::string& names, std::optional<std::string>& target, const std::string& help);
  Args& option(const std::string& names, int64_t& target, const std::string& help);
  Args& option(const std::string& names, std::optional<int64_t>& target, const std::string& help);
  Args& option(const std::string& names, std::optional<uint64_t>& target, const std::string& help);
  Args& option(const std::string& names, float& target, const std::string& help);
  // May be given several times; a value is taken as it is, commas and brackets included.
  Args& option(const std::string& names, std::vector<std::string>& target, const std::string& help);
  Args& flag(const std::string& names, bool& target, const std::string& help);
  Args& positional(const std::string& name, std::string& target, const std::string& help);
  Args& positional(const std::string& name, std::optional<std::string>& target, const std::string& help);
  void group(std::string title);  // heading of the options that follow

 private:
  Args& add(const std::string& names, const std::string& help, std::function<std::string(const std::string&)> set);
  Impl* impl_;
};

// What the program accepts, read back from CLI11.
struct OptionInfo {
  std::vector<std::string> names;  // "-m", "--model"; a positional has one name without dashes
  std::string value;               // placeholder; empty for a flag
  std::string help, group;
  std::vector<std::string> choices;
  bool file = false, positional = false, required = false, repeats = false;
};
struct CommandInfo {
  std::string name, summary, examples;
  std::vector<OptionInfo> options;
};
struct ProgramInfo {
  std::vector<CommandInfo> commands;
};

struct CommandDecl {
  std::string name, summary, examples;
  std::function<void(Args&)> declare;
};

struct Parsed {
  int command = -1;   // index of the command that was named, -1: none
  bool help = false;  // of that command, or of the program
  bool version = false;
  std::string error;  // wrong usage: one line
};

class Parser {
 public:
  explicit Parser(std::span<const CommandDecl> commands);
  ~Parser();
  Parsed parse(int argc, const char* const* argv);
  ProgramInfo describe() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace weft::cli
