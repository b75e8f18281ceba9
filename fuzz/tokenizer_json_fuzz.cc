// Any bytes as tokenizer.json (up to the first zero byte; what follows is a text to encode).
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "text/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t cut = std::min(input.find('\0'), input.size());
  auto tokenizer = weft::Tokenizer::from_json(input.substr(0, cut), "", "fuzz");
  if (!tokenizer) return 0;
  for (std::string_view text :
       {std::string_view("Hello world, it's 12345 <s> a\xC3\xA9\xF0\x9F\xA6\x99 \n\n  b\xFF"), input.substr(cut)}) {
    auto ids = (*tokenizer)->encode(text);
    if (!ids) continue;
    for (int32_t id : *ids)
      if (id < 0 || id >= (*tokenizer)->vocab_size()) std::abort();
    (void)(*tokenizer)->decode(*ids);
    weft::StreamDecoder decoder(**tokenizer);
    for (int32_t id : *ids) (void)decoder.push(id);
    (void)decoder.finish();
  }
  return 0;
}
