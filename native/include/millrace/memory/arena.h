#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "millrace/base/system_error.h"

namespace millrace {

// One contiguous reservation of address space; physical memory is taken by the first write to each
// page of the system (4 KiB). Contiguous, so that an offset names a byte and JavaScript can see all
// of it through one Uint8Array. All of it is readable and writable from the start: code that holds
// such a view may touch any byte of it.
// Not synchronised: create, move and destroy on one thread; the bytes are their users' affair.
// Owns the mapping. Creating one costs two system calls, whatever its size.
class Arena {
 public:
  // Offsets are 32 bits wide and 0xffffffff means "none", so the last 64 KiB stay out of reach.
  static constexpr std::size_t kMaxBytes = (std::size_t{1} << 32) - (std::size_t{64} << 10);

  Arena() = default;
  Arena(Arena&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        max_bytes_(std::exchange(other.max_bytes_, 0)) {}
  Arena& operator=(Arena&& other) noexcept {
    if (this != &other) {
      unmap();
      data_ = std::exchange(other.data_, nullptr);
      max_bytes_ = std::exchange(other.max_bytes_, 0);
    }
    return *this;
  }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { unmap(); }

  // Reserves max_bytes (1 to kMaxBytes) of zeroed memory, aligned to kAlignment. EINVAL when out of
  // range; ENOMEM when the address space or the system's overcommit limit is used up.
  static SystemError create(std::size_t max_bytes, Arena& out) {
    if (max_bytes == 0 || max_bytes > kMaxBytes) return {EINVAL, "mmap"};
    // Reserves more and unmaps what sticks out, which is how an aligned address is had.
    const std::size_t length = round_up(max_bytes, kPageBytes);
    const std::size_t wide = length + kAlignment;
    void* const memory = ::mmap(nullptr, wide, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return last_system_error("mmap");
    auto* const start = static_cast<std::byte*>(memory);
    const auto address = reinterpret_cast<std::uintptr_t>(start);
    const std::size_t before = round_up(address, kAlignment) - address;
    if (before != 0) ::munmap(start, before);
    if (wide - before != length) ::munmap(start + before + length, wide - before - length);
    out.unmap();
    out.data_ = start + before;
    out.max_bytes_ = max_bytes;
    return {};
  }

  std::byte* data() const noexcept { return data_; }
  std::size_t max_bytes() const noexcept { return max_bytes_; }

  // Takes the physical memory of a range now, so that no later write can fault into the kernel.
  // ENOMEM when the system has none left. Offset and length: multiples of 4 KiB.
  SystemError commit(std::size_t offset, std::size_t bytes) noexcept {
    if (::madvise(data_ + offset, bytes, MADV_POPULATE_WRITE) == 0) return {};
    if (errno != EINVAL) return last_system_error("madvise");
    // Linux before 5.14: write to each page what it holds. Atomic, since others may write there.
    for (std::size_t at = offset; at < offset + bytes; at += kPageBytes) {
      __atomic_fetch_or(reinterpret_cast<unsigned char*>(data_ + at), 0, __ATOMIC_RELAXED);
    }
    return {};
  }

  // Asks for pages of 2 MiB from an offset on: far fewer misses of address translation where memory
  // is read at random. A hint, which the system may not follow; where it does, up to 2 MiB more are
  // taken than are touched, and the first touch of each 2 MiB takes 0.1 to 0.3 ms.
  void prefer_huge_pages(std::size_t offset) noexcept {
    if (offset < max_bytes_) ::madvise(data_ + offset, max_bytes_ - offset, MADV_HUGEPAGE);
  }

  // Gives a range back to the system: it reads as zero from now on. Offset and length: multiples
  // of 4 KiB. REQUIRES: nobody uses the range.
  SystemError decommit(std::size_t offset, std::size_t bytes) noexcept {
    if (::madvise(data_ + offset, bytes, MADV_DONTNEED) == 0) return {};
    return last_system_error("madvise");
  }

 private:
  static constexpr std::size_t kPageBytes = 4096;
  static constexpr std::size_t kAlignment = std::size_t{64} << 10;

  static constexpr std::size_t round_up(std::size_t bytes, std::size_t unit) {
    return (bytes + unit - 1) / unit * unit;
  }

  void unmap() noexcept {
    if (data_ != nullptr) ::munmap(data_, round_up(max_bytes_, kPageBytes));
  }

  std::byte* data_ = nullptr;
  std::size_t max_bytes_ = 0;
};

}  // namespace millrace
