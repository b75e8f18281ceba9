// create_file: files that appear whole or not at all.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "native_host.h"

namespace weft {
namespace {

constexpr size_t kBuffer = 256 << 10;

std::unexpected<Error> refused(const std::string& path, std::string what, int number) {
  return fail(Code::io, path, std::move(what), "success", std::strerror(number),
              number == ENOSPC || number == EDQUOT ? "free some space; nothing was left behind" : "");
}

class FileSink : public ByteSink {
 public:
  // `temporary` empty: write to `path` itself (a device or pipe).
  FileSink(std::string path, std::string target, std::string temporary, int fd)
      : path_(std::move(path)), target_(std::move(target)), temporary_(std::move(temporary)), fd_(fd) {
    buffer_.reserve(kBuffer);
  }
  ~FileSink() override {
    if (fd_ >= 0) close(fd_);
    if (!temporary_.empty()) unlink(temporary_.c_str());
  }
  const std::string& name() const override { return path_; }

  Status write(std::span<const std::byte> bytes) override {
    WEFT_CHECK_OK(open_still());
    if (buffer_.size() + bytes.size() <= kBuffer) {
      buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
      return {};
    }
    WEFT_CHECK_OK(put(buffer_));
    buffer_.clear();
    if (bytes.size() >= kBuffer) return put(bytes);
    buffer_.assign(bytes.begin(), bytes.end());
    return {};
  }

  Status commit() override {
    WEFT_CHECK_OK(open_still());
    WEFT_CHECK_OK(put(buffer_));
    buffer_.clear();
    // Devices and pipes cannot be synchronised; regular files can, and only then is a full disk sure to be noticed.
    if (!temporary_.empty() && fsync(fd_) != 0) return broken("making it durable", errno);
    const int closed = close(std::exchange(fd_, -1));
    if (closed != 0) return broken("closing", errno);
    if (temporary_.empty()) return {};
    if (rename(temporary_.c_str(), target_.c_str()) != 0) return broken("renaming the finished file", errno);
    temporary_.clear();
    const size_t slash = target_.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : target_.substr(0, slash + 1);
    if (const int directory = ::open(folder.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY); directory >= 0) {
      fsync(directory);  // some file systems refuse; the file itself is durable
      close(directory);
    }
    return {};
  }

 private:
  Status open_still() const {
    if (fd_ >= 0) return {};
    return fail(Code::invalid_argument, path_, "writing", "an open file", "one that failed or was committed");
  }
  Status broken(std::string what, int number) {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
    return refused(path_, std::move(what), number);
  }
  Status put(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return broken("writing", errno);
      bytes = bytes.subspan(static_cast<size_t>(n));
    }
    return {};
  }

  std::string path_, target_, temporary_;
  int fd_;
  std::vector<std::byte> buffer_;
};

}  // namespace

Result<std::unique_ptr<ByteSink>> create_file(const std::string& path) {
  if (path.empty() || path.back() == '/')
    return fail(Code::invalid_argument, path, "output", "the name of a file", "none");
  std::string target = path;
  if (char* real = realpath(path.c_str(), nullptr)) {  // write where a symbolic link points to, and keep the link
    target = real;
    std::free(real);
  }
  struct stat status;
  const bool exists = stat(target.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) return fail(Code::io, path, "output", "the name of a file", "a folder");
  if (exists && access(target.c_str(), W_OK) != 0) return refused(path, "opening for writing", errno);
  if (exists && !S_ISREG(status.st_mode)) {
    const int fd = ::open(target.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) return refused(path, "opening for writing", errno);
    return std::make_unique<FileSink>(path, target, std::string(), fd);
  }
  static std::atomic<unsigned> counter{0};
  const std::string temporary = target + "." + std::to_string(getpid()) + "." + std::to_string(counter++) + ".tmp";
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return refused(path, "creating", errno);
  if (exists) fchmod(fd, status.st_mode & 07777);
  return std::make_unique<FileSink>(path, target, temporary, fd);
}

}  // namespace weft
