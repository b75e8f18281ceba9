// Stop strings across token borders: text that may be the beginning of a stop string is held back until it is clear.
//
//   StopText text({"\nUser:"});
//   std::string out;
//   bool stopped = text.push("Hello.\nUs", out);   // out == "Hello.", "\nUs" is held back
//   text.flush(out);                                // nothing follows: out == "Hello.\nUs"
//
// The strings are valid UTF-8 and not empty (check_stop_strings), so whole characters stay whole.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace weft {

Status check_stop_strings(const std::vector<std::string>& stops);

class StopText {
 public:
  explicit StopText(std::vector<std::string> stops) : stops_(std::move(stops)) {}

  // Appends to `out` what is now known to precede any stop string. True if a stop string was completed: it and all
  // after it are dropped. Of several, the one that begins first counts.
  bool push(std::string_view text, std::string& out);
  // The end without a stop string: what was held back is text after all.
  void flush(std::string& out);

 private:
  std::vector<std::string> stops_;
  std::string pending_;
};

}  // namespace weft
