// A chat template and its context from arbitrary bytes: the template up to the first NUL, then the context as JSON (an
// ordinary conversation when it is not an object). Nothing may crash, hang or take unbounded memory.
#include <string_view>

#include "text/chat_template.h"
#include "text/jinja/interp.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weft;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  size_t cut = bytes.find('\0');
  auto program = jinja::parse(bytes.substr(0, cut));
  if (!program) return 0;
  static const OrderedJson conversation = OrderedJson::parse(
      R"({"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "H\u00e9!"}],
          "tools": [{"type": "function", "function": {"name": "f", "parameters": {"x": 1.5}}}], "n": null, "i": 3})",
      nullptr, false);
  OrderedJson context = conversation;
  if (cut != bytes.npos) {
    auto parsed = parse_ordered_json(bytes.substr(cut + 1), "context");
    if (parsed && parsed->is_object()) context = *std::move(parsed);
  }
  // Limits small enough for many runs in a second.
  jinja::Limits limits{.steps = 20000, .depth = 300, .output = 1 << 18, .memory = size_t{16} << 20};
  jinja::Globals globals{.variables = {{"bos_token", "<s>"}}, .now = "2024-07-26T12:00:00"};
  jinja::Interp interp(*program, context, globals, limits);
  auto text = interp.render();
  (void)text;
  return 0;
}
