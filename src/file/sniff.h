// What the first bytes of a file say it is; names and extensions are never asked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace weft {

inline constexpr size_t kSniffBytes = 64;

enum class Sniffed { gguf, safetensors, other };

// `head` is the first kSniffBytes of the file, or all of a shorter one.
Sniffed sniff(std::span<const std::byte> head);
// For messages: "a PNG image", "text beginning 'hello'", "an empty file".
std::string describe_bytes(std::span<const std::byte> head);

}  // namespace weft
