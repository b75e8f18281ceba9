// Texts made from the definition of the command line: help, shell completions, the man page.
#pragma once

#include "args.h"

namespace weft::cli {

std::string program_help(const ProgramInfo& program);
std::string command_help(const CommandInfo& command);
std::string bash_completion(const ProgramInfo& program);
std::string zsh_completion(const ProgramInfo& program);
std::string fish_completion(const ProgramInfo& program);
std::string man_page(const ProgramInfo& program, std::string_view version);  // roff, section 1

}  // namespace weft::cli
