#include "disk.h"

#include <sys/statvfs.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "terminal.h"

namespace weft::cli {

Error system_error(const std::string& where, std::string what, int error_number) {
  std::string hint;
  if (error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG) {
    hint = "free some space or write elsewhere";
  } else if (error_number == EACCES || error_number == EPERM || error_number == EROFS) {
    hint = "check the permissions of the folder";
  }
  return {error_number == ENOENT ? Code::not_found : Code::io,
          where,
          std::move(what),
          "",
          std::strerror(error_number),
          hint};
}

int64_t free_space(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  struct statvfs disk{};
  if (statvfs(folder.empty() ? "." : folder.c_str(), &disk) != 0) return -1;
  return static_cast<int64_t>(disk.f_bavail) * static_cast<int64_t>(disk.f_frsize);
}

Status check_space(const std::string& path, int64_t bytes) {
  std::error_code ignored;
  // A device or pipe takes what it takes.
  if (std::filesystem::exists(path, ignored) && !std::filesystem::is_regular_file(path, ignored)) return {};
  const int64_t room = free_space(path);
  if (room < 0 || bytes <= room) return {};
  return fail(Code::io, path, "free space on the disk", human_bytes(static_cast<double>(bytes)),
              human_bytes(static_cast<double>(room)), "free some space or write elsewhere");
}

}  // namespace weft::cli
