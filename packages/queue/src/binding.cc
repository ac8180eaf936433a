// Node-API face of millrace/queue: converts, and answers numbers. src/native.ts declares what is
// exported, and checks arguments before they come here.
//
// While a thread is being terminated, every Node-API call that may enter JavaScript fails, in the
// middle of any function here: results start as nullptr, and what follows must do without them.

#include <node_api.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "environment.h"

namespace {

using namespace millrace;

// What calls answer instead of a length, a count or an offset; Answer in src/native.ts. A message
// that does not fit is kTooSmall minus its length.
enum Answer : std::int32_t {
  kAccepted = 0,
  kEmpty = -1,
  kFull = -2,
  kClosed = -3,
  kTaken = -4,
  kDropped = -5,
  kTooLarge = -6,
  kNotBytes = -7,
  kDetached = -8,
  kLoopBusy = -9,
  kFailed = -10,
  kTooSmall = -16,
};

constexpr std::size_t kPoolBytes = 65'536;

std::int32_t answer_of(QueueResult result, std::uint32_t length = 0) {
  switch (result) {
    case QueueResult::kDone:
      return static_cast<std::int32_t>(length);
    case QueueResult::kFull:
      return kFull;
    case QueueResult::kEmpty:
      return kEmpty;
    case QueueResult::kClosed:
      return kClosed;
    case QueueResult::kTooLarge:
      return kTooLarge;
    case QueueResult::kTooSmall:
      return kTooSmall - static_cast<std::int32_t>(length);
    case QueueResult::kTaken:
      return kTaken;
    case QueueResult::kDropped:
      return kDropped;
  }
  return kFailed;
}

napi_value integer(napi_env env, std::int32_t value) {
  napi_value result = nullptr;
  napi_create_int32(env, value, &result);
  return result;
}

napi_value number(napi_env env, double value) {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}

napi_value boolean(napi_env env, bool value) {
  napi_value result = nullptr;
  napi_get_boolean(env, value, &result);
  return result;
}

// One call: its arguments, of which the first is mostly a handle.
template <std::size_t kCount>
class Call {
 public:
  Call(napi_env env, napi_callback_info info) : env(env) {
    std::size_t count = kCount;
    void* data = nullptr;
    napi_get_cb_info(env, info, &count, arguments_.data(), nullptr, &data);
    environment_ = static_cast<Environment*>(data);
  }

  Environment& at() const { return *environment_; }
  // Null: this thread has let go of it.
  Handle* handle() const { return environment_->find(u32(0)); }
  napi_value argument(std::size_t i) const { return arguments_[i]; }
  std::uint32_t u32(std::size_t i) const {
    std::uint32_t value = 0;
    napi_get_value_uint32(env, arguments_[i], &value);
    return value;
  }
  double f64(std::size_t i) const {
    double value = 0;
    napi_get_value_double(env, arguments_[i], &value);
    return value;
  }
  bool flag(std::size_t i) const {
    bool value = false;
    napi_get_value_bool(env, arguments_[i], &value);
    return value;
  }
  // The elements of a typed array; false if it is none of the type.
  template <class T>
  bool elements(std::size_t i, napi_typedarray_type wanted, std::span<T>& out) const {
    napi_typedarray_type type;
    std::size_t length = 0;
    void* data = nullptr;
    if (napi_get_typedarray_info(env, arguments_[i], &type, &length, &data, nullptr, nullptr) !=
            napi_ok ||
        type != wanted) {
      return false;
    }
    out = {static_cast<T*>(data), length};
    return true;
  }
  bool bytes(std::size_t i, std::span<std::byte>& out) const {
    return elements(i, napi_uint8_array, out);
  }

  const napi_env env;

 private:
  std::array<napi_value, kCount == 0 ? 1 : kCount> arguments_{};
  Environment* environment_ = nullptr;
};

// --- Messages ---

// push(handle, bytes, waits)
napi_value push(napi_env env, napi_callback_info info) {
  const Call<3> call(env, info);
  Handle* const handle = call.handle();
  if (handle == nullptr) return integer(env, kDetached);
  std::span<std::byte> message;
  if (!call.bytes(1, message)) return integer(env, kNotBytes);
  return integer(env, answer_of(handle->queue().push(call.at().user, message, call.flag(2))));
}

// pushMany(handle, packed: Uint8Array, lengths: Uint32Array, count): how many went in
napi_value push_many(napi_env env, napi_callback_info info) {
  const Call<4> call(env, info);
  Handle* const handle = call.handle();
  if (handle == nullptr) return integer(env, kDetached);
  std::span<std::byte> packed;
  std::span<std::uint32_t> lengths;
  const std::uint32_t count = call.u32(3);
  if (!call.bytes(1, packed) || !call.elements(2, napi_uint32_array, lengths) ||
      lengths.size() < count) {
    return integer(env, kNotBytes);
  }
  std::uint32_t done = 0;
  const QueueResult result =
      handle->queue().push_many(call.at().user, packed, lengths.data(), count, done);
  return integer(env, answer_of(result, done));
}

// giveUp(handle, pushes): those that waited, or were not tried any more, are refused after all
napi_value give_up(napi_env env, napi_callback_info info) {
  const Call<2> call(env, info);
  if (Handle* const handle = call.handle()) handle->queue().give_up(call.u32(1));
  return nullptr;
}

// pop(handle, offset): the message's length, and it lies there in the pool
napi_value pop(napi_env env, napi_callback_info info) {
  const Call<2> call(env, info);
  Handle* const handle = call.handle();
  if (handle == nullptr) return integer(env, kDetached);
  const std::uint32_t offset = call.u32(1);
  if (call.at().pool == nullptr || offset > kPoolBytes) return integer(env, kFailed);
  std::uint32_t length = 0;
  const std::span room(call.at().pool->data() + offset, kPoolBytes - offset);
  const QueueResult result = handle->queue().pop(call.at().user, room, length);
  return integer(env, answer_of(result, length));
}

// popInto(handle, target: Uint8Array): the message's length
napi_value pop_into(napi_env env, napi_callback_info info) {
  const Call<2> call(env, info);
  Handle* const handle = call.handle();
  if (handle == nullptr) return integer(env, kDetached);
  std::span<std::byte> target;
  if (!call.bytes(1, target)) return integer(env, kNotBytes);
  std::uint32_t length = 0;
  const QueueResult result = handle->queue().pop(call.at().user, target, length);
  return integer(env, answer_of(result, length));
}

// popMany(handle, most, target: Uint8Array, lengths: Uint32Array): how many came out, packed
napi_value pop_many(napi_env env, napi_callback_info info) {
  const Call<4> call(env, info);
  Handle* const handle = call.handle();
  if (handle == nullptr) return integer(env, kDetached);
  std::span<std::byte> target;
  std::span<std::uint32_t> lengths;
  const std::uint32_t most = call.u32(1);
  if (!call.bytes(2, target) || !call.elements(3, napi_uint32_array, lengths) ||
      lengths.size() < most) {
    return integer(env, kNotBytes);
  }
  std::uint32_t count = 0;
  const QueueResult result =
      handle->queue().pop_many(call.at().user, most, target, lengths.data(), count);
  return integer(env, answer_of(result, count));
}

// popSync(handle, offset, timeoutMs): as pop(), but sleeps before it answers kEmpty, and answers
// kLoopBusy when the event loop has something new to do. Negative timeoutMs: for ever.
napi_value pop_sync(napi_env env, napi_callback_info info) {
  const Call<3> call(env, info);
  Handle* const handle = call.handle();
  if (handle == nullptr) return integer(env, kDetached);
  Environment& at = call.at();
  const std::uint32_t offset = call.u32(1);
  if (at.pool == nullptr || offset > kPoolBytes || at.sleeper.open(at.loop_fd))
    return integer(env, kFailed);
  const std::span room(at.pool->data() + offset, kPoolBytes - offset);
  const QueueDeadline deadline(static_cast<std::int64_t>(call.f64(2)));
  std::uint32_t length = 0;
  bool loop_busy = false;
  const QueueResult result = pop_waiting(
      handle->queue(), handle->sleeper, loop_busy,
      [&] { return handle->queue().pop(at.user, room, length); },
      [&] { return at.sleeper.sleep(deadline.left_ns()); });
  return integer(env, loop_busy ? kLoopBusy : answer_of(result, length));
}

// reserve(handle, byteLength): an offset in memory()
napi_value reserve(napi_env env, napi_callback_info info) {
  const Call<2> call(env, info);
  Handle* const handle = call.handle();
  if (handle == nullptr || handle->ring() == nullptr) return integer(env, kDetached);
  std::uint32_t offset = 0;
  const QueueResult result = handle->ring()->reserve(call.at().user, call.u32(1), offset);
  return integer(env, answer_of(result, offset));
}

// commit(handle, byteLength): kEmpty, when nothing is reserved; kTooLarge, when less is
napi_value commit(napi_env env, napi_callback_info info) {
  const Call<2> call(env, info);
  Handle* const handle = call.handle();
  if (handle == nullptr || handle->ring() == nullptr) return integer(env, kDetached);
  return integer(env, answer_of(handle->ring()->commit(call.at().user, call.u32(1))));
}

// --- Waiting ---

// watch(callback): callback(handle) is called when waiters of the handle are to try again
napi_value watch(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  return integer(env, call.at().watch(call.argument(0)) == napi_ok ? kAccepted : kFailed);
}

napi_value hold_loop(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  call.at().hold_loop(call.flag(0));
  return nullptr;
}

napi_value enter_reader(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  if (Handle* const handle = call.handle()) handle->queue().enter_reader(handle->reader);
  return nullptr;
}

napi_value settle_reader(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  if (Handle* const handle = call.handle()) handle->queue().settle_reader(handle->reader);
  return nullptr;
}

napi_value enter_writer(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  if (Handle* const handle = call.handle()) handle->queue().enter_writer(handle->writer);
  return nullptr;
}

napi_value settle_writer(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  if (Handle* const handle = call.handle()) handle->queue().settle_writer(handle->writer);
  return nullptr;
}

// --- The queue ---

napi_value close(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  if (Handle* const handle = call.handle()) handle->queue().close();
  return nullptr;
}

napi_value closed(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  Handle* const handle = call.handle();
  return boolean(env, handle == nullptr || handle->queue().closed());
}

napi_value ended(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  Handle* const handle = call.handle();
  return boolean(env, handle == nullptr || handle->queue().ended());
}

// stats(handle, out: Float64Array): the fields of QueueStats in their order
napi_value stats(napi_env env, napi_callback_info info) {
  const Call<2> call(env, info);
  Handle* const handle = call.handle();
  std::span<double> out;
  if (handle == nullptr || !call.elements(1, napi_float64_array, out) || out.size() < 8)
    return nullptr;
  const QueueStats stats = handle->queue().stats();
  const std::uint64_t fields[] = {stats.pushed,         stats.popped,         stats.dropped_newest,
                                  stats.dropped_oldest, stats.dropped_closed, stats.rejected,
                                  stats.depth,          stats.high_water};
  for (std::size_t i = 0; i < std::size(fields); ++i) out[i] = static_cast<double>(fields[i]);
  return nullptr;
}

napi_value size(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  Handle* const handle = call.handle();
  return number(env, handle == nullptr ? 0 : static_cast<double>(handle->queue().stats().depth));
}

// limits(handle, out: Float64Array): capacity, longest message, policy
napi_value limits(napi_env env, napi_callback_info info) {
  const Call<2> call(env, info);
  Handle* const handle = call.handle();
  std::span<double> out;
  if (handle == nullptr || !call.elements(1, napi_float64_array, out) || out.size() < 3)
    return nullptr;
  out[0] = handle->queue().capacity();
  out[1] = handle->queue().max_message_bytes();
  out[2] = handle->ring() != nullptr
               ? 0
               : static_cast<double>(static_cast<ByteQueue&>(handle->queue()).overflow());
  return nullptr;
}

napi_value address(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  Handle* const handle = call.handle();
  napi_value result = nullptr;
  napi_create_bigint_uint64(env, handle == nullptr ? 0 : handle->address(), &result);
  return result;
}

// identity(handle, out: Float64Array): id, nonce
napi_value identity(napi_env env, napi_callback_info info) {
  const Call<2> call(env, info);
  Handle* const handle = call.handle();
  std::span<double> out;
  if (handle == nullptr || !call.elements(1, napi_float64_array, out) || out.size() < 2)
    return nullptr;
  const SharedToken token = handle->ring() != nullptr
                                ? handle->ring()->token()
                                : static_cast<ByteQueue&>(handle->queue()).token();
  out[0] = token.id;
  out[1] = static_cast<double>(token.nonce);
  return nullptr;
}

// --- Memory ---

// Keeps the memory for as long as JavaScript can see it.
napi_value view_of(napi_env env, std::shared_ptr<QueueMemory> memory) {
  void* const data = memory->data();
  const std::size_t bytes = memory->bytes();
  auto* const held = new std::shared_ptr<QueueMemory>(std::move(memory));
  napi_value result = nullptr;
  const napi_status status = napi_create_external_arraybuffer(
      env, data, bytes,
      [](napi_env, void*, void* hint) { delete static_cast<std::shared_ptr<QueueMemory>*>(hint); },
      held, &result);
  if (status == napi_ok) return result;
  // Not deleted: a call that fails half done still runs the finalizer one day.
  held->reset();
  napi_throw_error(env, "ERR_UNSUPPORTED_PLATFORM",
                   "this runtime does not allow memory outside of its heap");
  return nullptr;
}

// memory(handle): ArrayBuffer
napi_value memory(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  Handle* const handle = call.handle();
  if (handle == nullptr || handle->ring() == nullptr) return nullptr;
  return view_of(env, handle->ring()->memory());
}

// pool(): the ArrayBuffer into which pop() and popSync() put messages from now on
napi_value pool(napi_env env, napi_callback_info info) {
  const Call<0> call(env, info);
  auto memory = std::make_shared<QueueMemory>();
  if (memory->open(kPoolBytes)) {
    napi_throw_error(env, "ERR_QUEUE_MEMORY", "mmap: no memory for messages");
    return nullptr;
  }
  call.at().pool = memory;
  return view_of(env, std::move(memory));
}

napi_value detach_view(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  napi_detach_arraybuffer(env, call.argument(0));
  return nullptr;
}

// --- Handles ---

// A handle, or the negative errno.
template <class T>
napi_value hold(const Environment& at, napi_env env, std::shared_ptr<T> queue, ByteRing* ring,
                const SystemError& error) {
  if (queue == nullptr) return integer(env, -error.code);
  return number(env, const_cast<Environment&>(at).add(std::move(queue), ring));
}

// openRing(capacity, maxMessageBytes)
napi_value open_ring(napi_env env, napi_callback_info info) {
  const Call<2> call(env, info);
  SystemError error;
  auto ring = ByteRing::open(call.u32(0), call.u32(1), error);
  ByteRing* const it = ring.get();
  return hold(call.at(), env, std::move(ring), it, error);
}

// openQueue(capacity, messageBytes, overflow)
napi_value open_queue(napi_env env, napi_callback_info info) {
  const Call<3> call(env, info);
  SystemError error;
  auto queue =
      ByteQueue::open(call.u32(0), call.u32(1), static_cast<QueueOverflow>(call.u32(2)), error);
  return hold(call.at(), env, std::move(queue), nullptr, error);
}

// attachRing(id, nonce), attachQueue(id, nonce): -1 when nobody holds it any more
napi_value attach_ring(napi_env env, napi_callback_info info) {
  const Call<2> call(env, info);
  auto ring = ByteRing::find({call.u32(0), static_cast<std::uint64_t>(call.f64(1))});
  ByteRing* const it = ring.get();
  return hold(call.at(), env, std::move(ring), it, {1, nullptr});
}

napi_value attach_queue(napi_env env, napi_callback_info info) {
  const Call<2> call(env, info);
  auto queue = ByteQueue::find({call.u32(0), static_cast<std::uint64_t>(call.f64(1))});
  return hold(call.at(), env, std::move(queue), nullptr, {1, nullptr});
}

napi_value detach(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  call.at().remove(call.u32(0));
  return nullptr;
}

constexpr struct {
  const char* name;
  napi_callback function;
} kFunctions[] = {
    {"push", push},
    {"pushMany", push_many},
    {"giveUp", give_up},
    {"pop", pop},
    {"popInto", pop_into},
    {"popMany", pop_many},
    {"popSync", pop_sync},
    {"reserve", reserve},
    {"commit", commit},
    {"watch", watch},
    {"holdLoop", hold_loop},
    {"enterReader", enter_reader},
    {"settleReader", settle_reader},
    {"enterWriter", enter_writer},
    {"settleWriter", settle_writer},
    {"close", close},
    {"closed", closed},
    {"ended", ended},
    {"stats", stats},
    {"size", size},
    {"limits", limits},
    {"address", address},
    {"identity", identity},
    {"memory", memory},
    {"pool", pool},
    {"detachView", detach_view},
    {"openRing", open_ring},
    {"openQueue", open_queue},
    {"attachRing", attach_ring},
    {"attachQueue", attach_queue},
    {"detach", detach},
};

napi_value initialize(napi_env env, napi_value exports) {
  auto* const environment = new Environment(env);
  napi_set_instance_data(
      env, environment, [](napi_env, void* data, void*) { delete static_cast<Environment*>(data); },
      nullptr);
  const auto set = [&](const char* name, napi_value value) {
    napi_set_named_property(env, exports, name, value);
  };
  for (const auto& [name, function] : kFunctions) {
    napi_value value = nullptr;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, function, environment, &value);
    set(name, value);
  }
  set("copyOfRings", number(env, static_cast<double>(ByteRing::copy_nonce())));
  set("copyOfQueues", number(env, static_cast<double>(ByteQueue::copy_nonce())));
  set("minRingBytes", number(env, ByteRing::kMinBytes));
  set("maxRingBytes", number(env, ByteRing::kMaxBytes));
  set("minCapacity", number(env, ByteQueue::kMinCapacity));
  set("maxCapacity", number(env, ByteQueue::kMaxCapacity));
  set("maxMessageBytes", number(env, ByteQueue::kMaxMessageBytes));
  set("poolBytes", number(env, kPoolBytes));
  return exports;
}

}  // namespace

NAPI_MODULE_INIT() { return initialize(env, exports); }
