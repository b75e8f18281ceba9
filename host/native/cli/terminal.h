// What people see: colours only on a terminal that wants them, progress bars on stderr, short numbers, Ctrl-C.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "base/host.h"

namespace weft::cli {

bool is_terminal(std::FILE* stream);
int terminal_width();  // columns of stderr, 80 where unknown

enum class Style { plain, bold, dim, green, red, cyan };
// `text` in that style where `stream` is a terminal and NO_COLOR (no-color.org) is not set, else as it is.
std::string styled(std::FILE* stream, Style style, std::string_view text);
// A line on stderr.
void note(std::string_view text);
void note_error(std::string_view text);  // "weft: text"

std::string human_bytes(double bytes);    // "1.34 GB", decimal units
std::string human_count(double count);    // "134.5M"
std::string human_seconds(double value);  // "850 ms", "12.3 s", "4 min 5 s"
std::string format(const char* pattern, ...) __attribute__((format(printf, 1, 2)));

// A bar on stderr, redrawn at most ten times a second and removed when done; nothing where stderr is no terminal.
class Progress {
 public:
  enum class Unit { bytes, items };
  explicit Progress(std::string label, Unit unit = Unit::bytes);
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void update(int64_t done, int64_t total);  // total 0: unknown
  void clear();

 private:
  std::string label_;
  Unit unit_;
  bool shown_ = false, enabled_;
  double started_ = 0, drawn_ = 0;
  int64_t first_ = -1;
};

double seconds_now();

// Set by Ctrl-C once `catch_interrupt` was called; a second Ctrl-C before `interrupt_flag().reset()` ends the program.
CancelFlag& interrupt_flag();
void catch_interrupt();

}  // namespace weft::cli
