#include "base/utf8.h"
#include "text/word_model.h"

namespace weft {
namespace {

constexpr char kHex[] = "0123456789ABCDEF";

// Printable Latin-1 characters stand for themselves, the other 68 bytes for U+0100 upwards, in order.
struct Printable {
  std::array<char32_t, 256> of_byte{};
  std::array<int16_t, 0x144> to_byte{};
  constexpr Printable() {
    to_byte.fill(-1);
    char32_t next = 0x100;
    for (int b = 0; b < 256; ++b) {
      const bool itself = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      of_byte[b] = itself ? static_cast<char32_t>(b) : next++;
      to_byte[of_byte[b]] = static_cast<int16_t>(b);
    }
  }
};
constexpr Printable kPrintable;

}  // namespace

std::string byte_to_printable(std::string_view bytes) {
  std::string out;
  for (char c : bytes) append_utf8(out, kPrintable.of_byte[static_cast<uint8_t>(c)]);
  return out;
}

bool append_printable(std::string_view text, std::string& out) {
  const size_t before = out.size();
  for (size_t i = 0; i < text.size();) {
    const Utf8Char c = decode_utf8(text, i);
    if (!c.valid || c.code >= kPrintable.to_byte.size() || kPrintable.to_byte[c.code] < 0) {
      out.resize(before);
      return false;
    }
    out += static_cast<char>(kPrintable.to_byte[c.code]);
    i += static_cast<size_t>(c.size);
  }
  return true;
}

ByteTokens::ByteTokens(const Vocab& vocab) {
  for (int b = 0; b < 256; ++b) {
    const char piece[] = {'<', '0', 'x', kHex[b >> 4], kHex[b & 15], '>'};
    ids_[b] = vocab.find({piece, sizeof piece});
  }
}

bool ByteTokens::append(std::string_view text, std::vector<int32_t>& out) const {
  for (char c : text)
    if (ids_[static_cast<uint8_t>(c)] < 0) return false;
  for (char c : text) out.push_back(ids_[static_cast<uint8_t>(c)]);
  return true;
}

std::optional<uint8_t> ByteTokens::parse(std::string_view piece) {
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') return std::nullopt;
  int value = 0;
  for (char c : piece.substr(3, 2)) {
    const std::string_view digits = kHex;
    const size_t digit = digits.find(c);
    if (digit >= 16) return std::nullopt;
    value = value * 16 + static_cast<int>(digit);
  }
  return static_cast<uint8_t>(value);
}

}  // namespace weft
