#pragma once

#include <cerrno>

namespace millrace {

// Why a system call failed: errno and the name of the call, as Node words it in `error.syscall`.
// True means that there is an error. The name is a string literal and is never freed.
struct SystemError {
  int code = 0;
  const char* syscall = nullptr;

  explicit operator bool() const noexcept { return code != 0; }
};

// REQUIRES: called before anything else can change errno.
inline SystemError last_system_error(const char* syscall) noexcept { return {errno, syscall}; }

}  // namespace millrace
