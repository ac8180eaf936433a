#pragma once

#include <sys/mman.h>

#include <cstddef>

#include "millrace/base/system_error.h"

namespace millrace {

// Zeroed memory that costs what is used of it. Owns the mapping.
class QueueMemory {
 public:
  QueueMemory() = default;
  QueueMemory(const QueueMemory&) = delete;
  QueueMemory& operator=(const QueueMemory&) = delete;
  ~QueueMemory() {
    if (bytes_ != 0) ::munmap(data_, bytes_);
  }

  SystemError open(std::size_t bytes) noexcept {
    if (bytes == 0) return {};
    void* const data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED) return last_system_error("mmap");
    data_ = data;
    bytes_ = bytes;
    return {};
  }

  std::byte* data() const noexcept { return static_cast<std::byte*>(data_); }
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace millrace
