#include "line_editor.h"

#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/utf8.h"
#include "terminal.h"

namespace weft::cli {
namespace {

constexpr char control(char letter) { return static_cast<char>(letter & 31); }

// Keys arrive one by one while this lives.
class RawMode {
 public:
  RawMode() {
    if (tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG | IEXTEN);
    raw.c_iflag &= ~static_cast<tcflag_t>(IXON | ICRNL);
    raw.c_cc[VMIN] = 1, raw.c_cc[VTIME] = 0;
    active_ = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
  }
  ~RawMode() {
    if (active_) tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
  }

 private:
  termios before_{};
  bool active_ = false;
};

// -1 at the end of the file.
int read_key() {
  unsigned char key;
  for (;;) {
    const ssize_t n = ::read(STDIN_FILENO, &key, 1);
    if (n == 1) return key;
    if (n == 0 || errno != EINTR) return -1;
  }
}

bool key_waits(int milliseconds) {
  pollfd wait{STDIN_FILENO, POLLIN, 0};
  return poll(&wait, 1, milliseconds) == 1;
}

// Columns of a character, enough for East Asian text and emoji.
int columns(char32_t c) {
  const bool wide = (c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF) || (c >= 0xAC00 && c <= 0xD7A3) ||
                    (c >= 0xF900 && c <= 0xFAFF) || (c >= 0xFE30 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF60) ||
                    (c >= 0x1F300 && c <= 0x1FAFF) || (c >= 0x20000 && c <= 0x3FFFD);
  const bool combining = (c >= 0x300 && c <= 0x36F) || c == 0x200D || (c >= 0xFE00 && c <= 0xFE0F);
  return combining ? 0 : wide ? 2 : 1;
}

}  // namespace

LineEditor::LineEditor() : interactive_(is_terminal(stdin) && is_terminal(stderr)) {}

LineEditor::Answer LineEditor::read(const std::string& prompt, int prompt_width, std::string& line) {
  if (!interactive_) return read_plain(line);
  const Answer answer = edit(prompt, prompt_width);
  line = text_;
  if (answer == Answer::line && !line.empty() && (history_.empty() || history_.back() != line))
    history_.push_back(line);
  return answer;
}

LineEditor::Answer LineEditor::read_plain(std::string& line) {
  line.clear();
  for (int c; (c = std::getc(stdin)) != EOF;) {
    if (c == '\n') return Answer::line;
    line += static_cast<char>(c);
  }
  if (std::ferror(stdin) && errno == EINTR) return Answer::interrupted;
  return line.empty() ? Answer::end : Answer::line;
}

size_t LineEditor::before(size_t at) const {
  if (at == 0) return 0;
  for (--at; at > 0 && (static_cast<unsigned char>(text_[at]) & 0xC0) == 0x80;) --at;
  return at;
}

size_t LineEditor::after(size_t at) const {
  return at < text_.size() ? at + static_cast<size_t>(decode_utf8(text_, at).size) : at;
}

// One row: where the line is longer than the window, the part around the cursor.
void LineEditor::draw(const std::string& prompt, int prompt_width) const {
  const int room = std::max(8, terminal_width() - prompt_width - 1);
  size_t first = cursor_;
  int left = 0;
  while (first > 0) {
    const size_t previous = before(first);
    const int width = columns(decode_utf8(text_, previous).code);
    if (left + width > room) break;
    left += width, first = previous;
  }
  int used = left;
  size_t last = cursor_;
  while (last < text_.size()) {
    const int width = columns(decode_utf8(text_, last).code);
    if (used + width > room) break;
    used += width, last = after(last);
  }
  std::string out = "\r" + prompt + text_.substr(first, last - first) + "\x1b[K";
  if (used > left) out += format("\x1b[%dD", used - left);
  std::fputs(out.c_str(), stderr);
  std::fflush(stderr);
}

void LineEditor::show_history(size_t index) {
  if (index > history_.size()) return;
  if (shown_ == history_.size()) draft_ = text_;
  shown_ = index;
  text_ = index == history_.size() ? draft_ : history_[index];
  cursor_ = text_.size();
}

void LineEditor::escape_sequence() {
  if (!key_waits(50)) return;
  const int introducer = read_key();
  if (introducer != '[' && introducer != 'O') return;
  std::string parameters;
  int final = read_key();
  while (final >= 0x20 && final < 0x40) parameters += static_cast<char>(final), final = read_key();
  if (final == 'A' && shown_ > 0) show_history(shown_ - 1);
  if (final == 'B') show_history(shown_ + 1);
  if (final == 'C') cursor_ = after(cursor_);
  if (final == 'D') cursor_ = before(cursor_);
  if (final == 'H' || (final == '~' && (parameters == "1" || parameters == "7"))) cursor_ = 0;
  if (final == 'F' || (final == '~' && (parameters == "4" || parameters == "8"))) cursor_ = text_.size();
  if (final == '~' && parameters == "3") text_.erase(cursor_, after(cursor_) - cursor_);
}

LineEditor::Answer LineEditor::edit(const std::string& prompt, int prompt_width) {
  const RawMode raw;
  text_.clear(), draft_.clear();
  cursor_ = 0, shown_ = history_.size();
  const auto leave = [&](Answer answer) {
    cursor_ = text_.size();
    draw(prompt, prompt_width);
    std::fputs("\n", stderr);
    return answer;
  };
  for (;;) {
    if (!key_waits(0)) draw(prompt, prompt_width);  // pasted text is drawn once
    const int key = read_key();
    switch (key) {
      case '\r':
      case '\n':
        return leave(Answer::line);
      case -1:
        return leave(Answer::end);
      case control('D'):
        if (text_.empty()) return leave(Answer::end);
        text_.erase(cursor_, after(cursor_) - cursor_);
        break;
      case control('C'):
        return leave(Answer::interrupted);
      case control('A'):
        cursor_ = 0;
        break;
      case control('E'):
        cursor_ = text_.size();
        break;
      case control('B'):
        cursor_ = before(cursor_);
        break;
      case control('F'):
        cursor_ = after(cursor_);
        break;
      case control('K'):
        text_.erase(cursor_);
        break;
      case control('U'):
        text_.erase(0, cursor_), cursor_ = 0;
        break;
      case control('W'): {
        size_t begin = cursor_;
        while (begin > 0 && text_[begin - 1] == ' ') --begin;
        while (begin > 0 && text_[begin - 1] != ' ') --begin;
        text_.erase(begin, cursor_ - begin), cursor_ = begin;
        break;
      }
      case control('P'):
        if (shown_ > 0) show_history(shown_ - 1);
        break;
      case control('N'):
        show_history(shown_ + 1);
        break;
      case control('L'):
        std::fputs("\x1b[H\x1b[2J", stderr);
        break;
      case control('H'):
      case 127: {
        const size_t begin = before(cursor_);
        text_.erase(begin, cursor_ - begin), cursor_ = begin;
        break;
      }
      case 27:
        escape_sequence();
        break;
      default:
        if (key < 32 && key != '\t') break;
        text_.insert(cursor_++, 1, static_cast<char>(key));
        // The rest of a character follows at once.
        for (size_t missing = key < 0xC0 ? 0 : key < 0xE0 ? 1 : key < 0xF0 ? 2 : 3; missing > 0; --missing) {
          const int next = read_key();
          if (next < 0) break;
          text_.insert(cursor_++, 1, static_cast<char>(next));
        }
    }
  }
}

}  // namespace weft::cli
