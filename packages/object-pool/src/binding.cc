// Node-API face of millrace/memory/record_pool.h: converts, and keeps each thread's handles.
// src/native.ts declares what is exported.
//
// While a thread is being terminated, every Node-API call that may enter JavaScript fails: results
// start as nullptr, and what follows must do without them.

#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "millrace/base/shared_object.h"
#include "millrace/memory/record_pool.h"

namespace {

using namespace millrace;

// A pool as threads share it. `shape` stands for its fields.
struct SharedPool : SharedObject<SharedPool> {
  explicit SharedPool(std::uint32_t shape) : shape(shape) {}
  const std::uint32_t shape;
  RecordPool pool;
};

//   byte 0  handle i32
//        4  index  i32: -1 for none
//        8  done   i32: 1 or 0
struct Registers {
  std::int32_t handle;
  std::int32_t index;
  std::int32_t done;
};
static_assert(sizeof(Registers) == 12);

// One thread's hold on a pool.
struct Handle {
  std::shared_ptr<SharedPool> shared;  // null: closed
  std::uint32_t holder = RecordPool::kNobody;

  // A worker that is terminated comes here too: what it had is free again.
  void close() {
    if (shared == nullptr) return;
    shared->pool.release_all_of(holder);
    shared.reset();
  }
};

// What one JavaScript thread has of this addon.
struct Environment {
  ~Environment() {
    for (Handle& handle : handles) handle.close();
  }
  Registers* registers = nullptr;
  napi_ref registers_ref = nullptr;
  // Not used again once closed: a late finalizer must not close another pool.
  std::vector<Handle> handles;
};

constexpr std::size_t kMostArguments = 4;

struct Call {
  Call(napi_env env, napi_callback_info info) : env(env) {
    std::size_t count = kMostArguments;
    void* data = nullptr;
    napi_get_cb_info(env, info, &count, arguments, nullptr, &data);
    at = static_cast<Environment*>(data);
  }
  double number(std::size_t i) const {
    double value = 0;
    napi_get_value_double(env, arguments[i], &value);
    return value;
  }
  // The handle of argument 0; nullptr if it is closed.
  Handle* handle() const {
    const auto i = static_cast<std::size_t>(number(0));
    return i < at->handles.size() && at->handles[i].shared != nullptr ? &at->handles[i] : nullptr;
  }

  napi_env env;
  napi_value arguments[kMostArguments] = {};
  Environment* at = nullptr;
};

// For the calls that work on registers alone.
struct FastCall {
  FastCall(napi_env env, napi_callback_info info) {
    void* data = nullptr;
    napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &data);
    auto& at = *static_cast<Environment*>(data);
    registers = at.registers;
    const auto i = static_cast<std::size_t>(registers->handle);
    handle = i < at.handles.size() && at.handles[i].shared != nullptr ? &at.handles[i] : nullptr;
  }
  template <class Operation>
  void run(Operation operation) const {
    if (handle == nullptr) return;
    const auto index = static_cast<std::uint32_t>(registers->index);
    registers->done = operation(handle->shared->pool, index) ? 1 : 0;
  }

  Registers* registers;
  Handle* handle;
};

napi_value number_of(napi_env env, double number) {
  napi_value value = nullptr;
  napi_create_double(env, number, &value);
  return value;
}

napi_value acquire(napi_env env, napi_callback_info info) {
  const FastCall call(env, info);
  if (call.handle == nullptr) return nullptr;
  const std::uint32_t index = call.handle->shared->pool.acquire(call.handle->holder);
  call.registers->index = static_cast<std::int32_t>(index);
  return nullptr;
}

napi_value release(napi_env env, napi_callback_info info) {
  FastCall(env, info).run(
      [](RecordPool& pool, std::uint32_t index) { return pool.release(index); });
  return nullptr;
}

napi_value hand_on(napi_env env, napi_callback_info info) {
  FastCall(env, info).run(
      [](RecordPool& pool, std::uint32_t index) { return pool.hand_on(index); });
  return nullptr;
}

napi_value adopt(napi_env env, napi_callback_info info) {
  const FastCall call(env, info);
  call.run([&](RecordPool& pool, std::uint32_t index) {
    return pool.adopt(index, call.handle->holder);
  });
  return nullptr;
}

napi_value size(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  const Handle* const handle = call.handle();
  return handle == nullptr ? nullptr : number_of(env, handle->shared->pool.size());
}

napi_value hold(const Call& call, std::shared_ptr<SharedPool> shared) {
  const std::uint32_t holder = shared->pool.new_holder();
  call.at->handles.push_back({std::move(shared), holder});
  return number_of(call.env, static_cast<double>(call.at->handles.size() - 1));
}

// (record bytes, capacity, shape): a handle, or an error's negative number.
napi_value open(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto shared = SharedPool::make(static_cast<std::uint32_t>(call.number(2)));
  const SystemError error = shared->pool.open(static_cast<std::uint32_t>(call.number(0)),
                                              static_cast<std::uint32_t>(call.number(1)));
  return error ? number_of(env, -error.code) : hold(call, std::move(shared));
}

// (id, nonce, record bytes, shape): a handle, -1: no such pool lives, -2: it has other fields.
napi_value attach(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto shared = SharedPool::find(
      {static_cast<std::uint32_t>(call.number(0)), static_cast<std::uint64_t>(call.number(1))});
  if (shared == nullptr) return number_of(env, -1);
  if (shared->pool.record_bytes() != static_cast<std::uint32_t>(call.number(2)) ||
      shared->shape != static_cast<std::uint32_t>(call.number(3))) {
    return number_of(env, -2);
  }
  return hold(call, std::move(shared));
}

napi_value capacity(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  const Handle* const handle = call.handle();
  return handle == nullptr ? nullptr : number_of(env, handle->shared->pool.capacity());
}

napi_value mine(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  const Handle* const handle = call.handle();
  if (handle == nullptr) return nullptr;
  return number_of(env, static_cast<double>(IndexPool::kHeldBy) + handle->holder);
}

// Keeps the pool's memory, not the pool, for as long as JavaScript can see it.
napi_value view(napi_env env, const RecordPool& pool, void* data, std::size_t bytes) {
  using Owner = std::shared_ptr<RecordPool::Memory>;
  auto* const owner = new Owner(pool.memory());
  napi_value result = nullptr;
  const napi_status status = napi_create_external_arraybuffer(
      env, data, bytes, [](napi_env, void*, void* hint) { delete static_cast<Owner*>(hint); },
      owner, &result);
  if (status == napi_ok) return result;
  // Not deleted: a call that fails half done still runs the finalizer one day.
  owner->reset();
  napi_throw_error(env, "ERR_UNSUPPORTED_PLATFORM",
                   "this runtime does not allow memory outside of its heap");
  return nullptr;
}

napi_value records(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  const Handle* const handle = call.handle();
  if (handle == nullptr) return nullptr;
  const RecordPool& pool = handle->shared->pool;
  return view(env, pool, pool.memory()->data(), std::size_t{pool.record_bytes()} * pool.capacity());
}

napi_value states(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  const Handle* const handle = call.handle();
  if (handle == nullptr) return nullptr;
  const RecordPool& pool = handle->shared->pool;
  return view(env, pool, const_cast<std::atomic<std::uint32_t>*>(pool.states()),
              pool.capacity() * sizeof(std::uint32_t));
}

napi_value share(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  const Handle* const handle = call.handle();
  if (handle == nullptr) return nullptr;
  const SharedToken token = handle->shared->token();
  napi_value answer = nullptr;
  napi_create_object(env, &answer);
  napi_set_named_property(env, answer, "id", number_of(env, token.id));
  napi_set_named_property(env, answer, "nonce", number_of(env, static_cast<double>(token.nonce)));
  return answer;
}

// (handle, records, states): takes both away from whoever still sees them.
napi_value close(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (Handle* const handle = call.handle()) handle->close();
  // Not given for a pool that was forgotten.
  for (const std::size_t i : {1, 2}) {
    bool is_buffer = false;
    napi_is_arraybuffer(env, call.arguments[i], &is_buffer);
    if (is_buffer) napi_detach_arraybuffer(env, call.arguments[i]);
  }
  return nullptr;
}

// (registers: Uint8Array)
napi_value use(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  void* data = nullptr;
  napi_get_typedarray_info(env, call.arguments[0], nullptr, nullptr, &data, nullptr, nullptr);
  call.at->registers = static_cast<Registers*>(data);
  napi_create_reference(env, call.arguments[0], 1, &call.at->registers_ref);
  return nullptr;
}

napi_value initialize(napi_env env, napi_value exports) {
  auto* const at = new Environment;
  napi_set_instance_data(
      env, at, [](napi_env, void* data, void*) { delete static_cast<Environment*>(data); },
      nullptr);
  const std::pair<const char*, napi_callback> functions[] = {
      {"acquire", acquire}, {"release", release}, {"handOn", hand_on}, {"adopt", adopt},
      {"size", size},       {"open", open},       {"attach", attach},  {"capacity", capacity},
      {"mine", mine},       {"records", records}, {"states", states},  {"share", share},
      {"close", close},     {"use", use},
  };
  for (const auto& [name, function] : functions) {
    napi_value value = nullptr;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, function, at, &value);
    napi_set_named_property(env, exports, name, value);
  }
  const std::pair<const char*, double> numbers[] = {
      {"copy", static_cast<double>(SharedPool::copy_nonce())},
      {"maxCapacity", RecordPool::kMaxCapacity},
      {"maxBytes", static_cast<double>(RecordPool::kMaxBytes)},
      {"heldBy", IndexPool::kHeldBy},
      {"heldEnd", static_cast<double>(IndexPool::kHeldBy) + IndexPool::kAnybody},
  };
  for (const auto& [name, value] : numbers) {
    napi_set_named_property(env, exports, name, number_of(env, value));
  }
  return exports;
}

}  // namespace

NAPI_MODULE_INIT() { return initialize(env, exports); }
