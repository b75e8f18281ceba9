// Cuts a normalised text into words, none of which a token may span.
//
//   PreTokenizer pre;
//   WEFT_TRY(auto traits, pre.add_named("llama-bpe", where));
//   TextPieces pieces("Hello world");
//   pre.apply(pieces, scratch, /*first=*/true);      // pieces.spans: "Hello", " world"
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/regex.h"

namespace weft {

struct TextPieces {
  explicit TextPieces(std::string whole) : text(std::move(whole)) {
    if (!text.empty()) spans.push_back({0, static_cast<uint32_t>(text.size())});
  }
  struct Span {
    uint32_t begin, end;
  };
  std::string text;
  std::vector<Span> spans;  // never empty ones
};

enum class SplitBehavior { isolated, removed, merged_with_previous, merged_with_next, contiguous };
enum class PrependScheme { never, first, always };

class PreTokenizer {
 public:
  // `inverted`: what does not match is what is cut out.
  Status add_split(std::string_view pattern, SplitBehavior behavior, bool inverted, const std::string& where);
  Status add_bert(const std::string& where);  // words without white space, every punctuation mark apart
  void add_prefix_space();                    // in front of every piece that does not begin with one
  void add_metaspace(std::string replacement, PrependScheme scheme, bool split);
  void add_space_mark_words();  // before each U+2581 that follows another character
  // The pre-tokenizers that tokenizer.ggml.pre names; Code::unsupported for others.
  struct NamedTraits {
    bool ignore_merges;  // a word that is a token is that token, whatever the merges say
    bool add_bos;        // where the file does not say
  };
  Result<NamedTraits> add_named(std::string_view name, const std::string& where);

  bool empty() const { return steps_.empty(); }
  void apply(TextPieces& pieces, Regex::Scratch& scratch, bool first) const {
    for (const Step& step : steps_) step(pieces, scratch, first);
  }

 private:
  using Step = std::function<void(TextPieces&, Regex::Scratch&, bool first)>;
  std::vector<Step> steps_;
};

// The pattern of GPT-2's byte-level pre-tokenizer.
extern const std::string_view kGpt2Pattern;
// A pattern that matches exactly `text`.
std::string literal_pattern(std::string_view text);

}  // namespace weft
