// JSON that people and programs hand to the command line: conversations (chat --load, template --context) and listings
// of repositories. Whatever the bytes: a value or one error, a dump that can be read again and says the same, and a
// template that renders over it within its limits.
#include <cstdlib>

#include "base/json.h"
#include "text/chat_template.h"

namespace {

// Touches what the program touches in a conversation: roles, contents of both kinds, tools, absent members.
constexpr const char* kTemplate =
    "{{ bos_token }}{% for message in messages %}{% if message.content is string %}{{ message.role }}: {{ "
    "message.content "
    "| trim }}{% else %}{% for part in message.content %}{{ part.text | default('') }}{% endfor %}{% endif %}{% for "
    "call "
    "in message.tool_calls | default([]) %}{{ call | tojson }}{% endfor %}{% endfor %}{{ tools | default(none) | "
    "tojson(indent=2) }}{% if add_generation_prompt %}assistant:{% endif %}";

void require(bool condition) {
  if (!condition) std::abort();
}

// What `weft pull` reads of a listing.
void read_listing(const weft::Json& value) {
  if (!value.is_array()) return;
  for (const weft::Json& entry : value) {
    const weft::Json* path = weft::json_member(entry, "path");
    if (path && path->is_string()) (void)path->get<std::string>();
    const weft::Json* size = weft::json_member(entry, "size");
    if (size && size->is_number_unsigned()) (void)size->get<int64_t>();
    if (const weft::Json* lfs = weft::json_member(entry, "lfs")) (void)weft::json_member(*lfs, "oid");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto sorted = weft::parse_json(text, "input");
  const auto ordered = weft::parse_ordered_json(text, "input");
  require(sorted.has_value() == ordered.has_value());
  if (!ordered) {
    require(!ordered.error().message().empty() && ordered.error().message().find('\n') == std::string::npos);
    return 0;
  }
  read_listing(*sorted);
  const std::string dumped = weft::dump_json(*ordered, 2);
  const auto again = weft::parse_ordered_json(dumped, "dump");
  require(again.has_value() && weft::dump_json(*again, 2) == dumped);
  static const auto chat = weft::ChatTemplate::parse(kTemplate, "template");
  require(chat.has_value());
  (void)chat->render(*ordered, {.bos_token = "<s>", .eos_token = "</s>", .now_iso = "2024-07-26T12:00:00"});
  return 0;
}
