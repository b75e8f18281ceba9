#include "file/sniff.h"

#include <cstring>
#include <string_view>

#include "base/utf8.h"
#include "file/safetensors.h"

namespace weft {
namespace {

struct Signature {
  std::string_view bytes, label;
};

using namespace std::string_view_literals;
constexpr Signature kSignatures[] = {
    {"\x89PNG"sv, "a PNG image"},
    {"\xFF\xD8\xFF"sv, "a JPEG image"},
    {"%PDF"sv, "a PDF document"},
    {"PK\x03\x04"sv, "a ZIP archive (perhaps a PyTorch checkpoint)"},
    {"\x80\x02"sv, "a pickle (perhaps a PyTorch checkpoint)"},
    {"\x1F\x8B"sv, "a gzip archive"},
    {"\x28\xB5\x2F\xFD"sv, "a zstd archive"},
    {"\xFD\x37zXZ"sv, "an xz archive"},
    {"\x7F"
     "ELF"sv,
     "an ELF program"},
    {"lmgg"sv, "a GGML file older than GGUF"},
    {"fmgg"sv, "a GGML file older than GGUF"},
    {"tjgg"sv, "a GGML file older than GGUF"},
    {"version https://git-lfs"sv, "a git-lfs pointer instead of the file it stands for"},
    {"<!DOCTYPE html"sv, "an HTML page"},
    {"<!doctype html"sv, "an HTML page"},
    {"<html"sv, "an HTML page"},
};

bool looks_like_text(std::string_view text) {
  for (unsigned char c : text) {
    if (c < 0x20 && c != '\n' && c != '\r' && c != '\t') return false;
  }
  return valid_utf8(text.substr(0, text.size() - incomplete_utf8_tail(text)));
}

}  // namespace

Sniffed sniff(std::span<const std::byte> head) {
  const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  if (text.starts_with("GGUF") || text.starts_with("FUGG")) return Sniffed::gguf;
  if (text.size() > 8 && text[8] == '{') {
    uint64_t length = 0;
    std::memcpy(&length, text.data(), sizeof length);
    if (length <= kSafetensorsMaxHeaderBytes) return Sniffed::safetensors;
  }
  return Sniffed::other;
}

std::string describe_bytes(std::span<const std::byte> head) {
  const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  if (text.empty()) return "an empty file";
  for (const Signature& s : kSignatures) {
    if (text.starts_with(s.bytes)) return std::string(s.label);
  }
  if (looks_like_text(text)) return "text beginning '" + std::string(text.substr(0, 24)) + "'";
  std::string hex = "bytes";
  for (size_t i = 0; i < text.size() && i < 8; ++i) {
    constexpr char kDigits[] = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(text[i]);
    hex += {' ', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return hex;
}

}  // namespace weft
