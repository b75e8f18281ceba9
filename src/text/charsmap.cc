#include "text/charsmap.h"

#include "base/utf8.h"

namespace weft {

Result<CharsMap> CharsMap::from_bytes(std::string_view bytes, const std::string& where) {
  auto word = [&](size_t at) {
    uint32_t value = 0;
    for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<uint8_t>(bytes[at + static_cast<size_t>(i)]);
    return value;
  };
  auto bad = [&](std::string expected, std::string found) {
    return fail(Code::bad_file, where, "precompiled_charsmap", std::move(expected), std::move(found));
  };
  if (bytes.size() < 8) return bad("at least 8 bytes", std::to_string(bytes.size()));
  const size_t trie = word(0);
  if (trie % 4 != 0 || trie == 0 || trie > bytes.size() - 4)
    return bad("a trie of whole units inside " + std::to_string(bytes.size()) + " bytes",
               std::to_string(trie) + " bytes");
  CharsMap map;
  map.units_.resize(trie / 4);
  for (size_t i = 0; i < map.units_.size(); ++i) map.units_[i] = word(4 + i * 4);
  map.strings_.assign(bytes.substr(4 + trie));
  if (map.strings_.empty() || map.strings_.back() != '\0') map.strings_ += '\0';
  return map;
}

size_t CharsMap::longest_key(std::string_view text, size_t at, std::string_view& replacement) const {
  auto offset = [](uint32_t unit) { return size_t{unit >> 10} << ((unit & 1u << 9) >> 6); };
  size_t length = 0;
  size_t node = offset(units_[0]);
  for (size_t i = at; i < text.size(); ++i) {
    const uint8_t byte = static_cast<uint8_t>(text[i]);
    node ^= byte;
    if (node >= units_.size()) break;
    const uint32_t unit = units_[node];
    if ((unit & 0x800000FFu) != byte) break;
    node ^= offset(unit);
    if (!(unit >> 8 & 1)) continue;
    if (node >= units_.size()) break;
    const size_t begin = units_[node] & 0x7FFFFFFFu;
    if (begin >= strings_.size()) break;
    length = i + 1 - at;
    replacement = std::string_view(strings_.data() + begin);
  }
  return length;
}

std::string CharsMap::apply(std::string_view text) const {
  std::string out;
  out.reserve(text.size() + 16);
  for (size_t i = 0; i < text.size();) {
    std::string_view replacement;
    if (const size_t size = longest_key(text, i, replacement)) {
      out += replacement;
      i += size;
      continue;
    }
    const Utf8Char c = decode_utf8(text, i);
    append_utf8(out, c.code);
    i += c.size;
  }
  return out;
}

Result<std::string> decode_base64(std::string_view text, const std::string& where) {
  std::string out;
  out.reserve(text.size() / 4 * 3);
  uint32_t bits = 0;
  int count = 0;
  while (text.ends_with('=')) text.remove_suffix(1);
  for (char c : text) {
    uint32_t value;
    if (c >= 'A' && c <= 'Z')
      value = static_cast<uint32_t>(c - 'A');
    else if (c >= 'a' && c <= 'z')
      value = static_cast<uint32_t>(c - 'a' + 26);
    else if (c >= '0' && c <= '9')
      value = static_cast<uint32_t>(c - '0' + 52);
    else if (c == '+' || c == '/')
      value = c == '+' ? 62 : 63;
    else
      return fail(Code::bad_file, where, "base64 text", "letters, digits, + / =", std::string(1, c));
    bits = bits << 6 | value;
    if ((count += 6) >= 8) out += static_cast<char>(bits >> (count -= 8));
  }
  return out;
}

}  // namespace weft
