// What happens to a text before it is cut into words: a list of functions, applied in order.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/charsmap.h"
#include "text/regex.h"
#include "text/unicode.h"

namespace weft {

using TextStep = std::function<std::string(std::string)>;

class Normalizer {
 public:
  void add(TextStep step) { steps_.push_back(std::move(step)); }
  bool empty() const { return steps_.empty(); }
  std::string apply(std::string_view text) const {
    std::string out(text);
    for (const TextStep& step : steps_) out = step(std::move(out));
    return out;
  }

 private:
  std::vector<TextStep> steps_;
};

namespace text_steps {
TextStep prepend(std::string prefix);  // nothing before an empty text
TextStep replace(std::string from, std::string to);
TextStep replace(std::shared_ptr<const Regex> pattern, std::string to);
TextStep unicode(NormalForm form);
TextStep lower_case();
TextStep strip_accents();  // removes marks; does not decompose
TextStep strip(bool left, bool right);
TextStep chars_map(std::shared_ptr<const CharsMap> map);
// SentencePiece's treatment of spaces: runs become one and the ends are cut off (`merge`), one is put in front
// (`prefix`), and each is written U+2581.
TextStep spaces(bool prefix, bool merge);
struct Bert {
  bool clean = true;  // control characters go, white space becomes ' '
  bool space_around_cjk = true;
  bool strip_accents = true;
  bool lower_case = true;
};
TextStep bert(Bert options);
}  // namespace text_steps

}  // namespace weft
