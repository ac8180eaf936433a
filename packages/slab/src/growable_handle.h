#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "millrace/memory/growable_buffer.h"

// A growable buffer as one JavaScript thread has it, and the ArrayBuffers over its file. close()
// gives back what the buffer has at once, unless such an ArrayBuffer, detached or not, may still be
// read by somebody (a write to a file that is under way): then the last of them does.
// Used by one thread. Owns the buffer, and holds the slab.
class GrowableHandle {
 public:
  GrowableHandle(std::shared_ptr<millrace::SlabAllocator> memory, std::string directory,
                 millrace::GrowableBufferOptions options)
      : memory_(std::move(memory)), directory_(std::move(directory)) {
    options.directory = directory_.c_str();
    buffer_.emplace(*memory_, options);
  }

  millrace::GrowableBuffer& buffer() { return *buffer_; }
  millrace::SlabAllocator& slab() { return *memory_; }

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
  std::string directory_;
  std::optional<millrace::GrowableBuffer> buffer_;
  std::uint32_t views_ = 0;
  bool closed_ = false;
};
