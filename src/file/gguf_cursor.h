// A reading position in the first bytes of a GGUF file. It tells "the file ends here" (an error) from "the window ends
// here" (read more and start again), and never looks beyond either.
#pragma once

#include <bit>
#include <cstring>
#include <span>
#include <string>

#include "base/result.h"
#include "file/gguf.h"

namespace weft {

class GgufCursor {
 public:
  GgufCursor(std::span<const std::byte> window, uint64_t file_size, const std::string& name)
      : window_(window), file_size_(file_size), name_(name) {}

  uint64_t position() const { return position_; }
  uint64_t left() const { return file_size_ - position_; }  // in the file
  uint64_t need() const { return need_; }                   // not 0: the window was too short
  const std::string& name() const { return name_; }
  // What the following reads are about, for messages: "metadata key", "general.name".
  void about(const char* kind, std::string_view subject) { kind_ = kind, subject_ = subject; }
  std::string subject() const {
    return subject_.empty() ? std::string(kind_) : kind_ + (" '" + std::string(subject_) + "'");
  }

  // Makes `bytes` readable by take() and text().
  Status require(uint64_t bytes) {
    if (bytes <= window_.size() - position_) return {};
    return refuse(bytes);
  }
  // The same for `count` things of at least `each` bytes: no overflow.
  Status require(uint64_t count, uint64_t each) {
    if (count <= left() / each) return require(count * each);
    return truncated(std::to_string(count) + " items of " + std::to_string(each) + " bytes or more");
  }
  // Room in the file, not yet in the window.
  Status require_in_file(uint64_t count, uint64_t each) {
    if (count <= left() / each) return {};
    return truncated(std::to_string(count) + " items of " + std::to_string(each) + " bytes or more");
  }

  template <class T>
  T take() {
    static_assert(std::endian::native == std::endian::little);
    T value;
    std::memcpy(&value, window_.data() + position_, sizeof value);
    position_ += sizeof value;
    return value;
  }
  template <class T>
  Result<T> read() {
    WEFT_CHECK_OK(require(sizeof(T)));
    return take<T>();
  }
  // A view into the window.
  Result<std::string_view> read_string() {
    WEFT_TRY(const uint64_t length, read<uint64_t>());
    WEFT_CHECK_OK(require(length));
    std::string_view text(reinterpret_cast<const char*>(window_.data()) + position_, length);
    position_ += length;
    return text;
  }

  std::unexpected<Error> bad(std::string what, std::string expected, std::string found) const {
    return fail(Code::bad_file, name_, std::move(what), std::move(expected), std::move(found));
  }

 private:
  std::unexpected<Error> truncated(std::string wanted) const {
    return bad("truncated or damaged at byte " + std::to_string(position_) + ", " + subject(), std::move(wanted),
               std::to_string(left()) + " bytes to the end of the file");
  }
  Status refuse(uint64_t bytes) {
    if (bytes > left()) return truncated(std::to_string(bytes) + " bytes");
    need_ = position_ + bytes;
    if (need_ > kGgufMaxHeaderBytes)
      return fail(Code::limit, name_, "GGUF header at " + subject(),
                  "at most " + std::to_string(kGgufMaxHeaderBytes) + " bytes", std::to_string(need_) + " or more");
    return fail(Code::internal, name_, "the window is too short");  // replaced by the caller, which reads `need`
  }

  std::span<const std::byte> window_;
  uint64_t file_size_, position_ = 0, need_ = 0;
  const std::string& name_;
  const char* kind_ = "header";
  std::string_view subject_;
};

}  // namespace weft
