#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "block_buffers.h"
#include "growable_handle.h"
#include "keeper.h"
#include "millrace/memory/script_cache.h"
#include "millrace/memory/shared_slab.h"
#include "registers.h"

// One thread's handle on a slab, and the owner of the blocks that are allocated through it: what is
// still its own goes back with it.
class SlabHandle {
 public:
  // kNobody as owner: there are too many handles, and nothing goes back.
  explicit SlabHandle(std::shared_ptr<millrace::SharedSlab> shared)
      : shared_(std::move(shared)), slab_(shared_->memory().get()), owner_(slab_->open_owner()) {
    shared_->add_cache(*cache_);
  }
  SlabHandle(SlabHandle&& other) noexcept
      : shared_(std::move(other.shared_)),
        cache_(std::move(other.cache_)),
        slab_(std::exchange(other.slab_, nullptr)),
        owner_(other.owner_) {}
  SlabHandle(const SlabHandle&) = delete;
  ~SlabHandle() { close(); }

  void close() {
    if (slab_ == nullptr) return;
    cache_->flush(*slab_);
    slab_->close_owner(owner_);
    shared_->remove_cache(*cache_);
    slab_ = nullptr;
    cache_ = nullptr;
    shared_ = nullptr;
  }

  // Null: closed.
  millrace::SlabAllocator* slab() const { return slab_; }
  millrace::SlabOwner owner() const { return owner_; }
  const millrace::SharedSlab& shared() const { return *shared_; }
  // Held by the ArrayBuffer over it, too.
  const std::shared_ptr<millrace::ScriptCache>& cache() const { return cache_; }

 private:
  std::shared_ptr<millrace::SharedSlab> shared_;
  std::shared_ptr<millrace::ScriptCache> cache_ = std::make_shared<millrace::ScriptCache>();
  millrace::SlabAllocator* slab_;
  millrace::SlabOwner owner_;
};

// What one JavaScript thread has of this addon. Used by that thread only.
struct Environment {
  Registers* registers = nullptr;
  napi_ref registers_ref = nullptr;
  BlockBuffers buffers;
  // By handle. Handles are not used again: a late finalizer must not close another's.
  std::vector<SlabHandle> slabs;
  std::vector<std::shared_ptr<GrowableHandle>> growables;

  // The last, so that what ArrayBuffers have kept goes before what it was of.
  Keeper keeper;

  ~Environment() {
    for (const auto& growable : growables) {
      if (growable != nullptr) growable->close();
    }
  }
};

// One call from JavaScript: its arguments, and the slab it is about.
template <std::size_t kArguments>
class Call {
 public:
  Call(napi_env env, napi_callback_info info) : env_(env) {
    void* data = nullptr;
    std::size_t count = kArguments;
    napi_get_cb_info(env, info, kArguments == 0 ? nullptr : &count,
                     kArguments == 0 ? nullptr : arguments_, nullptr, &data);
    at_ = static_cast<Environment*>(data);
  }

  // False: the slab is closed, and the status says so.
  bool open() {
    const std::uint32_t handle = registers().handle;
    if (handle < at_->slabs.size()) handle_ = &at_->slabs[handle];
    const bool is_open = handle_ != nullptr && handle_->slab() != nullptr;
    if (!is_open) answer(Status::kClosed);
    return is_open;
  }

  napi_env env() const { return env_; }
  Environment& at() const { return *at_; }
  Registers& registers() const { return *at_->registers; }
  SlabHandle& handle() const { return *handle_; }
  millrace::SlabAllocator& slab() const { return *handle_->slab(); }
  void answer(Status status) const { registers().status = static_cast<std::uint32_t>(status); }

  napi_value argument(std::size_t i) const { return arguments_[i]; }
  double number(std::size_t i) const {
    double number = 0;
    napi_get_value_double(env_, arguments_[i], &number);
    return number;
  }
  // The memory of a typed array of T.
  template <class T>
  std::span<T> elements(std::size_t i) const {
    void* data = nullptr;
    std::size_t length = 0;
    napi_get_typedarray_info(env_, arguments_[i], nullptr, &length, &data, nullptr, nullptr);
    return {static_cast<T*>(data), length};
  }

 private:
  napi_env env_;
  napi_value arguments_[kArguments == 0 ? 1 : kArguments] = {};
  Environment* at_ = nullptr;
  SlabHandle* handle_ = nullptr;
};
