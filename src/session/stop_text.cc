#include "session/stop_text.h"

#include <algorithm>

#include "base/utf8.h"

namespace weft {

Status check_stop_strings(const std::vector<std::string>& stops) {
  for (size_t i = 0; i < stops.size(); ++i) {
    const std::string what = "stop string " + std::to_string(i + 1);
    if (stops[i].empty()) return fail(Code::invalid_argument, "generate", what, "at least one character", "none");
    if (!valid_utf8(stops[i])) return fail(Code::invalid_argument, "generate", what, "valid UTF-8", "other bytes");
  }
  return {};
}

bool StopText::push(std::string_view text, std::string& out) {
  if (stops_.empty()) {
    out += text;
    return false;
  }
  pending_ += text;
  size_t found = std::string::npos;
  for (const std::string& stop : stops_) found = std::min(found, pending_.find(stop));
  if (found != std::string::npos) {
    out.append(pending_, 0, found);
    pending_.clear();
    return true;
  }
  // The longest end of the text that is the beginning of a stop string.
  size_t held = 0;
  for (const std::string& stop : stops_) {
    for (size_t length = std::min(pending_.size(), stop.size() - 1); length > held; --length) {
      if (std::string_view(stop).starts_with(std::string_view(pending_).substr(pending_.size() - length))) {
        held = length;
        break;
      }
    }
  }
  out.append(pending_, 0, pending_.size() - held);
  pending_.erase(0, pending_.size() - held);
  return false;
}

void StopText::flush(std::string& out) {
  out += pending_;
  pending_.clear();
}

}  // namespace weft
