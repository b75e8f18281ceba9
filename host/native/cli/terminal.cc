#include "terminal.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdarg>
#include <cstdlib>

#include "base/utf8.h"

namespace weft::cli {
namespace {

bool wants_colour(std::FILE* stream) {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return is_terminal(stream) && !(no_colour && *no_colour) && term && std::string_view(term) != "dumb";
}

std::string_view code(Style style) {
  switch (style) {
    case Style::plain:
      return "";
    case Style::bold:
      return "\x1b[1m";
    case Style::dim:
      return "\x1b[2m";
    case Style::green:
      return "\x1b[32m";
    case Style::red:
      return "\x1b[31m";
    case Style::cyan:
      return "\x1b[36m";
  }
  return "";
}

CancelFlag flag;

void on_interrupt(int) {
  if (flag.cancelled()) {
    signal(SIGINT, SIG_DFL);
    raise(SIGINT);
  }
  flag.cancel();
}

}  // namespace

bool is_terminal(std::FILE* stream) { return isatty(fileno(stream)) == 1; }

int terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string styled(std::FILE* stream, Style style, std::string_view text) {
  if (style == Style::plain || !wants_colour(stream)) return std::string(text);
  return std::string(code(style)) + std::string(text) + "\x1b[0m";
}

void note(std::string_view text) { std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data()); }

void note_error(std::string_view text) { note(styled(stderr, Style::red, "weft:") + " " + escape_for_message(text)); }

std::string format(const char* pattern, ...) {
  va_list arguments, again;
  va_start(arguments, pattern);
  va_copy(again, arguments);
  std::string text(static_cast<size_t>(std::vsnprintf(nullptr, 0, pattern, arguments)), '\0');
  std::vsnprintf(text.data(), text.size() + 1, pattern, again);
  va_end(again);
  va_end(arguments);
  return text;
}

std::string human_bytes(double bytes) {
  constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB"};
  int unit = 0;
  while (unit < 4 && std::fabs(bytes) >= 999.5) bytes /= 1000, ++unit;
  return format(unit == 0 || bytes >= 99.95 ? "%.0f %s" : bytes >= 9.995 ? "%.1f %s" : "%.2f %s", bytes, kUnits[unit]);
}

std::string human_count(double count) {
  constexpr const char* kUnits[] = {"", "k", "M", "B", "T"};
  int unit = 0;
  while (unit < 4 && count >= 999.5) count /= 1000, ++unit;
  return format(unit == 0        ? "%.0f%s"
                : count >= 99.95 ? "%.0f%s"
                : count >= 9.995 ? "%.1f%s"
                                 : "%.2f%s",
                count, kUnits[unit]);
}

std::string human_seconds(double value) {
  if (value < 0.00995) return format("%.1f ms", value * 1000);
  if (value < 0.9995) return format("%.0f ms", value * 1000);
  if (value < 59.95) return format("%.1f s", value);
  const int64_t whole = std::llround(std::fmin(value, 1e9));
  if (whole < 3600)
    return format("%lld min %lld s", static_cast<long long>(whole / 60), static_cast<long long>(whole % 60));
  return format("%lld h %lld min", static_cast<long long>(whole / 3600), static_cast<long long>(whole % 3600 / 60));
}

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Progress::Progress(std::string label, Unit unit)
    : label_(std::move(label)), unit_(unit), enabled_(is_terminal(stderr)), started_(seconds_now()) {}

void Progress::update(int64_t done, int64_t total) {
  if (!enabled_) return;
  const double now = seconds_now();
  if (first_ < 0) first_ = done;
  // The first tenth of a second draws nothing: short work should not flicker.
  if (now - (shown_ ? drawn_ : started_) < 0.1) return;
  drawn_ = now;
  shown_ = true;
  const double speed = static_cast<double>(done - first_) / (now - started_);
  std::string tail;
  if (unit_ == Unit::bytes) {
    tail = human_bytes(static_cast<double>(done));
    if (total > 0) tail += " of " + human_bytes(static_cast<double>(total));
    if (speed > 0) tail += "  " + human_bytes(speed) + "/s";
  } else {
    tail = total > 0 ? format("%lld of %lld", static_cast<long long>(done), static_cast<long long>(total))
                     : format("%lld", static_cast<long long>(done));
  }
  if (total > 0 && speed > 0) tail += "  " + human_seconds(static_cast<double>(total - done) / speed) + " left";
  std::string line = label_ + " ";
  const int room = terminal_width() - static_cast<int>(line.size() + tail.size()) - 12;
  if (total > 0) {
    const double share = std::fmin(1, static_cast<double>(done) / static_cast<double>(total));
    if (room > 8) {
      const int cells = room < 30 ? room : 30, full = static_cast<int>(share * cells);
      std::string bar;
      for (int i = 0; i < cells; ++i) bar += i < full ? "━" : "─";
      line += styled(stderr, Style::cyan, bar) + " ";
    }
    line += format("%3.0f %%  ", share * 100);
  }
  std::fprintf(stderr, "\r\x1b[K%s%s", line.c_str(), tail.c_str());
  std::fflush(stderr);
}

void Progress::clear() {
  if (!shown_) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
  shown_ = false;
}

CancelFlag& interrupt_flag() { return flag; }

void catch_interrupt() {
  struct sigaction action{};
  action.sa_handler = on_interrupt;  // without SA_RESTART: a read of the terminal returns
  sigaction(SIGINT, &action, nullptr);
}

}  // namespace weft::cli
