#pragma once

#include <node_api.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "environment.h"
#include "slabs.h"

// The calls about growable buffers. Part of binding.cc.

namespace {

using namespace millrace;

// The buffer that the call is about. Null: closed, and the status says so.
template <class Call>
GrowableHandle* growable_of(const Call& call) {
  const std::uint32_t handle = call.registers().handle;
  const auto& all = call.at().growables;
  GrowableHandle* const found = handle < all.size() ? all[handle].get() : nullptr;
  if (found == nullptr) call.answer(Status::kClosed);
  return found;
}

void answer_figures(Registers& r, const GrowableBuffer& buffer) {
  r.length = static_cast<double>(buffer.length());
  r.capacity = static_cast<double>(buffer.capacity());
  r.mapped = buffer.mapped();
}

// (first bytes, threshold, most bytes, directory, whether it may be in memory), handle of the slab
// -> a handle; undefined: the slab is closed
napi_value open_growable(napi_env env, napi_callback_info info) {
  Call<5> call(env, info);
  if (!call.open()) return nullptr;
  GrowableBufferOptions options;
  options.initial_bytes = static_cast<std::size_t>(call.number(0));
  options.map_threshold_bytes = static_cast<std::size_t>(call.number(1));
  options.max_bytes = static_cast<std::size_t>(call.number(2));
  options.allow_memory_file_system = call.number(4) != 0;
  std::size_t length = 0;
  napi_get_value_string_utf8(env, call.argument(3), nullptr, 0, &length);
  std::string directory(length, '\0');
  napi_get_value_string_utf8(env, call.argument(3), directory.data(), length + 1, &length);
  auto& all = call.at().growables;
  all.push_back(std::make_shared<GrowableHandle>(
      call.handle().shared().memory(), call.handle().cache(), std::move(directory), options));
  call.answer(Status::kOk);
  return number_of(env, static_cast<double>(all.size() - 1));
}

// (bytes: Uint8Array) -> figures and status. Where that is kSystem: the system call's name.
napi_value append(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  GrowableHandle* const handle = growable_of(call);
  if (handle == nullptr) return nullptr;
  const SystemError error = handle->append(call.template elements<const std::byte>(0));
  answer_figures(call.registers(), handle->buffer());
  if (!error) {
    call.answer(Status::kOk);
  } else if (error.code == EMSGSIZE) {
    call.answer(Status::kTooLong);
  } else if (error.code == ENOMEM && error.syscall == GrowableBuffer::kAppend) {
    call.answer(Status::kExhausted);
  } else {
    call.answer(Status::kSystem);
    call.registers().error = static_cast<std::uint32_t>(error.code);
    napi_value name = nullptr;
    napi_create_string_latin1(env, error.syscall, NAPI_AUTO_LENGTH, &name);
    return name;
  }
  return nullptr;
}

// (bytes: number) -> figures
napi_value consume(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  GrowableHandle* const handle = growable_of(call);
  if (handle == nullptr) return nullptr;
  handle->buffer().consume(static_cast<std::size_t>(call.number(0)));
  answer_figures(call.registers(), handle->buffer());
  call.answer(Status::kOk);
  return nullptr;
}

// What holds the mapping of a file while an ArrayBuffer shows it.
class GrowableView : public Keeper::Kept {
 public:
  GrowableView(Keeper& keeper, std::shared_ptr<GrowableHandle> handle)
      : Kept(keeper), handle_(std::move(handle)) {
    handle_->view_made();
  }
  ~GrowableView() override { handle_->view_gone(); }

 private:
  std::shared_ptr<GrowableHandle> handle_;
};

// -> offset: where in the slab they are; or, of a file, an ArrayBuffer over them
napi_value bytes(napi_env env, napi_callback_info info) {
  Call<0> call(env, info);
  GrowableHandle* const handle = growable_of(call);
  if (handle == nullptr) return nullptr;
  call.answer(Status::kOk);
  const std::span<std::byte> all = handle->buffer().bytes();
  if (!handle->buffer().mapped()) {
    const auto offset = all.data() == nullptr ? 0 : all.data() - handle->slab().data();
    call.registers().offset = static_cast<std::uint32_t>(offset);
    return nullptr;
  }
  return array_buffer(
      env, all.data(), all.size(),
      new GrowableView(call.at().keeper, call.at().growables[call.registers().handle]));
}

// (handle)
napi_value close_growable(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  const auto index = static_cast<std::size_t>(call.number(0));
  auto& all = call.at().growables;
  if (index >= all.size() || all[index] == nullptr) return nullptr;
  all[index]->close();
  all[index] = nullptr;
  return nullptr;
}

}  // namespace
