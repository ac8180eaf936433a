#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "millrace/memory/growable_buffer.h"
#include "millrace/memory/script_cache.h"

// A growable buffer as one JavaScript thread has it, and the ArrayBuffers over its file. close()
// gives back what the buffer has at once, unless such an ArrayBuffer, detached or not, may still be
// read by somebody (a write to a file that is under way): then the last of them does.
// Used by one thread. Owns the buffer, and holds the slab.
class GrowableHandle {
 public:
  // `cache`: of the handle on the slab, for when that has nothing else left.
  GrowableHandle(std::shared_ptr<millrace::SlabAllocator> memory,
                 std::shared_ptr<millrace::ScriptCache> cache, std::string directory,
                 millrace::GrowableBufferOptions options)
      : memory_(std::move(memory)), cache_(std::move(cache)), directory_(std::move(directory)) {
    options.directory = directory_.c_str();
    buffer_.emplace(*memory_, options);
  }

  millrace::GrowableBuffer& buffer() { return *buffer_; }
  millrace::SlabAllocator& slab() { return *memory_; }

  millrace::SystemError append(std::span<const std::byte> bytes) {
    millrace::SystemError error;
    cache_->take(*memory_, [&] {
      error = buffer_->append(bytes);
      return error.code != ENOMEM || error.syscall != millrace::GrowableBuffer::kAppend;
    });
    return error;
  }

  void view_made() { ++views_; }
  void view_gone() {
    if (--views_ == 0 && closed_) buffer_->close();
  }
  void close() {
    closed_ = true;
    if (views_ == 0) buffer_->close();
  }

 private:
  std::shared_ptr<millrace::SlabAllocator> memory_;
  std::shared_ptr<millrace::ScriptCache> cache_;
  std::string directory_;
  std::optional<millrace::GrowableBuffer> buffer_;
  std::uint32_t views_ = 0;
  bool closed_ = false;
};
