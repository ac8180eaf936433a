#pragma once

#include <node_api.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <variant>
#include <vector>

#include "millrace/concurrent/shared_map.h"
#include "registers.h"
#include "text_buffer.h"

// What one JavaScript thread has of this addon. Used by that thread only.
struct Environment {
  Registers* registers = nullptr;
  napi_ref registers_ref = nullptr;
  // Where values of bytes are put for JavaScript.
  std::span<std::byte> pool;
  napi_ref pool_ref = nullptr;
  // By handle; null: closed.
  std::vector<std::shared_ptr<millrace::SharedMap>> maps;
  TextBuffer key;
  TextBuffer value;
  TextBuffer expected;
  TextBuffer answer;
};

// One call from JavaScript: its arguments, and the map it is about.
class Call {
 public:
  Call(napi_env env, napi_callback_info info) : env_(env) {
    void* data = nullptr;
    napi_get_cb_info(env, info, &count_, arguments_, nullptr, &data);
    at_ = static_cast<Environment*>(data);
  }

  // False: the map is closed, and the status says so.
  bool open() {
    const std::uint32_t handle = registers().map;
    shared_ = handle < at_->maps.size() ? at_->maps[handle].get() : nullptr;
    if (shared_ == nullptr) answer(Status::kClosed);
    return shared_ != nullptr;
  }

  napi_env env() const { return env_; }
  Environment& at() const { return *at_; }
  Registers& registers() const { return *at_->registers; }
  millrace::SharedMap& shared() const { return *shared_; }
  // Null: a map of bytes.
  millrace::ConcurrentWordMap* words() const {
    return std::get_if<millrace::ConcurrentWordMap>(&shared_->map);
  }
  millrace::ConcurrentByteMap& bytes() const {
    return *std::get_if<millrace::ConcurrentByteMap>(&shared_->map);
  }

  bool has(std::size_t i) const { return i < count_; }
  napi_value argument(std::size_t i) const { return arguments_[i]; }
  double number(std::size_t i) const {
    double number = 0;
    napi_get_value_double(env_, arguments_[i], &number);
    return number;
  }

  void answer(Status status) const { registers().status = static_cast<std::uint32_t>(status); }
  void answer(bool done) const { answer(done ? Status::kDone : Status::kUnchanged); }

  // Of a map of bytes: the key in argument 0, or in its register.
  millrace::MapBytes key() const {
    if (shared_->kinds().word_keys()) return bytes_of(registers().key);
    return at_->key.read(env_, arguments_[0]);
  }
  // Of a map of bytes: the value in argument i, or in its register.
  millrace::MapBytes value(std::size_t i) const { return value(i, registers().value, at_->value); }
  millrace::MapBytes expected(std::size_t i) const {
    return value(i, registers().expected, at_->expected);
  }

  // The memory of a Uint8Array.
  static std::span<std::byte> memory(napi_env env, napi_value array) {
    void* data = nullptr;
    std::size_t bytes = 0;
    napi_get_typedarray_info(env, array, nullptr, &bytes, &data, nullptr, nullptr);
    return {static_cast<std::byte*>(data), bytes};
  }

 private:
  static millrace::MapBytes bytes_of(const std::uint64_t& word) {
    return {reinterpret_cast<const std::byte*>(&word), sizeof word, false};
  }

  millrace::MapBytes value(std::size_t i, const std::uint64_t& word, TextBuffer& text) const {
    const millrace::MapKinds kinds = shared_->kinds();
    if (kinds.word_values()) return bytes_of(word);
    if (kinds.value != millrace::MapKinds::Value::kBytes) return text.read(env_, arguments_[i]);
    const std::span<std::byte> bytes = memory(env_, arguments_[i]);
    // No map takes the largest size, so a larger one may be told as that.
    const std::size_t size = std::min<std::size_t>(bytes.size(), millrace::kMaxMapValueBytes);
    return {bytes.data(), static_cast<std::uint32_t>(size), false};
  }

  static constexpr std::size_t kArguments = 5;
  napi_env env_;
  napi_value arguments_[kArguments] = {};
  std::size_t count_ = kArguments;
  Environment* at_ = nullptr;
  millrace::SharedMap* shared_ = nullptr;
};
