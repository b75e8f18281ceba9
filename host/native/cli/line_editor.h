// Reads lines from a person: cursor keys, history, the usual Ctrl keys. Where stdin is no terminal, plain lines.
#pragma once

#include <string>
#include <vector>

namespace weft::cli {

class LineEditor {
 public:
  enum class Answer { line, end, interrupted };  // end: Ctrl-D on an empty line, or the end of a file
  LineEditor();
  // Shows `prompt` (of `prompt_width` columns) on stderr and reads one line without its newline.
  Answer read(const std::string& prompt, int prompt_width, std::string& line);
  bool interactive() const { return interactive_; }

 private:
  Answer read_plain(std::string& line);
  Answer edit(const std::string& prompt, int prompt_width);
  void draw(const std::string& prompt, int prompt_width) const;
  void escape_sequence();
  void show_history(size_t index);
  size_t before(size_t at) const;  // where the character before `at` begins
  size_t after(size_t at) const;
  bool interactive_;
  std::string text_, draft_;
  size_t cursor_ = 0;  // in bytes, between characters
  std::vector<std::string> history_;
  size_t shown_ = 0;  // index in history_, its size: the line being written
};

}  // namespace weft::cli
