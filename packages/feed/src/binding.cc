// Node-API face of millrace/feed: converts, checks what JavaScript cannot, and keeps each thread's
// part of a feed alive as long as that thread needs it. src/native.ts declares what is exported.
//
// While a thread is being terminated, every Node-API call that may enter JavaScript fails, in the
// middle of any function here: results start as nullptr, and what follows must do without them.

#include <node_api.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "millrace/feed/shared_feed.h"

namespace {

using namespace millrace;

// What push() answers besides the values of PushResult.
constexpr std::uint32_t kNotBytes = 5;

napi_value number(napi_env env, double value) {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}

napi_value small_number(napi_env env, std::int32_t value) {
  napi_value result = nullptr;
  napi_create_int32(env, value, &result);
  return result;
}

napi_value boolean(napi_env env, bool value) {
  napi_value result = nullptr;
  napi_get_boolean(env, value, &result);
  return result;
}

void set(napi_env env, napi_value object, const char* name, napi_value value) {
  napi_set_named_property(env, object, name, value);
}

double get_number(napi_env env, napi_value object, const char* name) {
  napi_value value = nullptr;
  double result = 0;
  napi_get_named_property(env, object, name, &value);
  napi_get_value_double(env, value, &result);
  return result;
}

napi_value fail(napi_env env, const SystemError& error) {
  const std::string message = std::string(error.syscall) + ": " + std::strerror(error.code);
  napi_value code = nullptr;
  napi_value text = nullptr;
  napi_value thrown = nullptr;
  napi_create_string_utf8(env, "ERR_FEED_MEMORY", NAPI_AUTO_LENGTH, &code);
  napi_create_string_utf8(env, message.c_str(), message.size(), &text);
  napi_create_error(env, code, text, &thrown);
  set(env, thrown, "errno", number(env, -error.code));
  napi_throw(env, thrown);
  return nullptr;
}

// Keeps `owner` alive for as long as JavaScript can see the memory.
template <class T>
napi_value view(napi_env env, void* data, std::size_t bytes, std::shared_ptr<T> owner) {
  auto* const held = new std::shared_ptr<T>(std::move(owner));
  napi_value result = nullptr;
  const napi_status status = napi_create_external_arraybuffer(
      env, data, bytes,
      [](napi_env, void*, void* hint) { delete static_cast<std::shared_ptr<T>*>(hint); }, held,
      &result);
  if (status == napi_ok) return result;
  // Not deleted: a call that fails half done still runs the finalizer one day.
  held->reset();
  napi_throw_error(env, "ERR_UNSUPPORTED_PLATFORM",
                   "this runtime does not allow memory outside of its heap");
  return nullptr;
}

// One thread's handle on a feed: what its JavaScript functions work on.
class Handle {
 public:
  Handle(napi_env env, std::shared_ptr<SharedFeed> held)
      : shared(std::move(held)),
        feed(shared->feed),
        thread(static_cast<std::uint64_t>(::syscall(SYS_gettid))),
        env_(env) {}
  ~Handle() { detach(); }

  std::shared_ptr<SharedFeed> shared;  // nullptr after detach(), and so is the feed
  std::shared_ptr<Feed> feed;
  const std::uint64_t thread;
  std::uint8_t* key = nullptr;  // where JavaScript puts the key of the next push
  std::uint32_t room_ticket = 0;
  std::vector<std::shared_ptr<FeedConsumer>> consumers;
  std::vector<std::uint32_t> groups;
  std::shared_ptr<Doorbell> bell;

  napi_status open_doorbell(napi_value callback) {
    napi_value name = nullptr;
    napi_create_string_utf8(env_, "millrace.feed", NAPI_AUTO_LENGTH, &name);
    // One call may be pending: a second ring says nothing new.
    const napi_status status =
        napi_create_threadsafe_function(env_, callback, nullptr, name, 1, 1, nullptr, nullptr,
                                        nullptr, &Handle::answer, &doorbell_);
    if (status != napi_ok) return status;
    // After the function: hooks run in reverse order, and the function must still be there in ours.
    napi_add_env_cleanup_hook(env_, &Handle::on_environment_end, this);
    bell = std::make_shared<Doorbell>(&Handle::ring, doorbell_);
    feed->observe(bell);
    return napi_ok;
  }

  // Where a consumer is kept from now on: in the first free place.
  std::size_t keep(std::shared_ptr<FeedConsumer> consumer) {
    const auto free = std::ranges::find(consumers, nullptr);
    const auto index = static_cast<std::size_t>(free - consumers.begin());
    if (free == consumers.end()) consumers.emplace_back();
    consumers[index] = std::move(consumer);
    return index;
  }

  void hold_loop(bool hold) {
    if (doorbell_ == nullptr) return;
    hold ? napi_ref_threadsafe_function(env_, doorbell_)
         : napi_unref_threadsafe_function(env_, doorbell_);
  }

  // Nobody rings any more; this thread's consumers have ended before.
  void close_doorbell() {
    end_consumers();
    if (doorbell_ == nullptr) return;
    feed->unobserve(bell.get());
    bell->detach();
    bell.reset();
    napi_remove_env_cleanup_hook(env_, &Handle::on_environment_end, this);
    napi_release_threadsafe_function(doorbell_, napi_tsfn_abort);
    doorbell_ = nullptr;
  }

  void detach() {
    if (feed == nullptr) return;
    close_doorbell();
    feed.reset();
    shared.reset();
  }

 private:
  // What they had not begun goes to others.
  void end_consumers() {
    for (const auto& consumer : consumers) {
      if (consumer != nullptr) feed->leave(*consumer);
    }
    consumers.clear();
    for (const std::uint32_t group : groups) feed->close_group(group);
    groups.clear();
  }

  static void on_environment_end(void* handle) { static_cast<Handle*>(handle)->close_doorbell(); }

  static void ring(void* doorbell) {
    napi_call_threadsafe_function(static_cast<napi_threadsafe_function>(doorbell), nullptr,
                                  napi_tsfn_nonblocking);
  }

  static void answer(napi_env env, napi_value callback, void*, void*) {
    if (env == nullptr || callback == nullptr) return;
    napi_value undefined = nullptr;
    napi_get_undefined(env, &undefined);
    napi_call_function(env, undefined, callback, 0, nullptr, nullptr);
  }

  napi_env env_;
  napi_threadsafe_function doorbell_ = nullptr;
};

// The arguments of a call on a handle.
template <std::size_t kCount>
struct Call {
  Call(napi_env env, napi_callback_info info) : env(env) {
    std::size_t count = kCount;
    void* data = nullptr;
    napi_get_cb_info(env, info, &count, arguments, nullptr, &data);
    handle = static_cast<Handle*>(data);
  }

  // False, and an exception pending, when the handle has been detached.
  bool live() const {
    if (handle->feed != nullptr) return true;
    napi_throw_error(env, "ERR_FEED_CLOSED", "this thread has let go of the feed");
    return false;
  }
  Feed& feed() const { return *handle->feed; }
  std::uint32_t u32(std::size_t index) const {
    std::uint32_t value = 0;
    napi_get_value_uint32(env, arguments[index], &value);
    return value;
  }
  double f64(std::size_t index) const {
    double value = 0;
    napi_get_value_double(env, arguments[index], &value);
    return value;
  }
  bool flag(std::size_t index) const {
    bool value = false;
    napi_get_value_bool(env, arguments[index], &value);
    return value;
  }
  // nullptr, and an exception pending, for a number that is no consumer of this handle.
  FeedConsumer* consumer(std::size_t index) const {
    if (!live()) return nullptr;
    const std::uint32_t at = u32(index);
    if (at < handle->consumers.size() && handle->consumers[at] != nullptr)
      return handle->consumers[at].get();
    napi_throw_error(env, "ERR_FEED_CLOSED", "this consumer has left the feed");
    return nullptr;
  }
  // The elements of a typed array; nullptr if it is of another type or has fewer than `least`.
  template <class T>
  T* elements(std::size_t index, napi_typedarray_type wanted, std::size_t least,
              std::size_t* count = nullptr) const {
    napi_typedarray_type type;
    std::size_t length = 0;
    void* data = nullptr;
    const napi_status status =
        napi_get_typedarray_info(env, arguments[index], &type, &length, &data, nullptr, nullptr);
    if (status != napi_ok || type != wanted || length < least) return nullptr;
    if (count != nullptr) *count = length;
    return static_cast<T*>(data);
  }

  napi_env env;
  napi_value arguments[kCount == 0 ? 1 : kCount];
  Handle* handle;
};

// --- Producers ---

using PushFunction = PushResult (Feed::*)(const void*, std::uint32_t, const FeedKey&);

// push(bytes), pushAgain(bytes): PushResult or kNotBytes. The key lies in the handle's key cell.
template <PushFunction kPush>
napi_value push(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  Handle& handle = *call.handle;
  if (handle.feed == nullptr)
    return small_number(env, static_cast<std::int32_t>(PushResult::kClosed));
  napi_typedarray_type type;
  std::size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, call.arguments[0], &type, &length, &data, nullptr, nullptr) !=
          napi_ok ||
      (type != napi_uint8_array && type != napi_uint8_clamped_array)) {
    return small_number(env, kNotBytes);
  }
  FeedKey key;
  std::memcpy(&key, handle.key, sizeof(key));
  handle.room_ticket = handle.feed->room_ticket();
  PushResult result = PushResult::kTooLarge;
  if (length <= handle.feed->options().max_message_bytes) {
    result = (*handle.feed.*kPush)(data, static_cast<std::uint32_t>(length), key);
  }
  return small_number(env, static_cast<std::int32_t>(result));
}

// waitForRoom(ms): sleeps until there may be room for the push that answered kFull.
napi_value wait_for_room(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  if (!call.live()) return nullptr;
  call.feed().wait_for_room(
      call.handle->room_ticket,
      static_cast<std::int64_t>(call.f64(0) * static_cast<double>(kNanosPerMilli)));
  return nullptr;
}

napi_value give_up(napi_env env, napi_callback_info info) {
  const Call<0> call(env, info);
  if (call.live()) call.feed().give_up();
  return nullptr;
}

// noteWait(ms): a push that had to wait has come to its end, so long after it began.
napi_value note_wait(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  if (!call.live()) return nullptr;
  const double took_ns = call.f64(0) * static_cast<double>(kNanosPerMilli);
  call.feed().note_wait(monotonic_ns() - static_cast<std::int64_t>(took_ns));
  return nullptr;
}

// slowPushes(out: Float64Array): how many there were, nanoseconds that the latest took.
napi_value slow_pushes(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  if (!call.live()) return nullptr;
  auto* const out = call.elements<double>(0, napi_float64_array, 2);
  if (out == nullptr) return nullptr;
  const PushTimes::Slow slow = call.feed().slow_pushes();
  out[0] = static_cast<double>(slow.count);
  out[1] = static_cast<double>(slow.latest_ns);
  return nullptr;
}

napi_value waits_for_itself(napi_env env, napi_callback_info info) {
  const Call<0> call(env, info);
  return call.live() ? boolean(env, call.feed().waits_for_itself(call.handle->thread)) : nullptr;
}

// --- Consumers ---

napi_value open_doorbell(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  if (!call.live() || call.handle->bell != nullptr) return nullptr;
  if (call.handle->open_doorbell(call.arguments[0]) != napi_ok) {
    napi_throw_error(env, "ERR_FEED_MEMORY", "no thread-safe function could be made");
  }
  return nullptr;
}

napi_value close_doorbell(napi_env env, napi_callback_info info) {
  const Call<0> call(env, info);
  if (call.live()) call.handle->close_doorbell();
  return nullptr;
}

napi_value hold_loop(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  call.handle->hold_loop(call.flag(0));
  return nullptr;
}

napi_value arena(napi_env env, napi_callback_info info) {
  const Call<0> call(env, info);
  if (!call.live()) return nullptr;
  return view(env, call.feed().arena(), call.feed().arena_bytes(), call.handle->feed);
}

// openGroup(sticky, tickets: Uint32Array): the group's number; 0 when there are not so many seats.
napi_value open_group(napi_env env, napi_callback_info info) {
  const Call<2> call(env, info);
  if (!call.live()) return nullptr;
  std::size_t count = 0;
  auto* const tickets = call.elements<std::uint32_t>(1, napi_uint32_array, 1, &count);
  if (tickets == nullptr) return nullptr;
  const std::uint32_t group = call.feed().open_group(call.flag(0), std::span(tickets, count));
  if (group != FeedSeats::kNoGroup) call.handle->groups.push_back(group);
  return number(env, group);
}

napi_value close_group(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  if (!call.live()) return nullptr;
  call.feed().close_group(call.u32(0));
  std::erase(call.handle->groups, call.u32(0));
  return nullptr;
}

napi_value remove_seat(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  if (call.live()) call.feed().remove_seat(call.u32(0));
  return nullptr;
}

// occupy(ticket): the number of the consumer that sits there now, or -1 when the seat is gone.
// REQUIRES: the doorbell is open.
napi_value occupy(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  if (!call.live()) return nullptr;
  Handle& handle = *call.handle;
  auto consumer = std::make_shared<FeedConsumer>(handle.bell, handle.thread);
  if (!handle.feed->occupy(call.u32(0), *consumer)) return small_number(env, -1);
  return small_number(env, static_cast<std::int32_t>(handle.keep(std::move(consumer))));
}

// table(consumer): its LeaseTable.
napi_value table(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  FeedConsumer* const consumer = call.consumer(0);
  if (consumer == nullptr) return nullptr;
  return view(env, consumer->table.data(), LeaseTable::kBytes, call.handle->consumers[call.u32(0)]);
}

// next(consumer, outcome, unbroken): as Feed::next().
napi_value next(napi_env env, napi_callback_info info) {
  const Call<3> call(env, info);
  FeedConsumer* const consumer = call.consumer(0);
  if (consumer == nullptr) return nullptr;
  return small_number(
      env, call.feed().next(*consumer, static_cast<BatchOutcome>(call.u32(1)), call.flag(2)));
}

napi_value answer(napi_env env, napi_callback_info info) {
  const Call<2> call(env, info);
  if (FeedConsumer* const consumer = call.consumer(0)) call.feed().answer(*consumer, call.flag(1));
  return nullptr;
}

napi_value leave(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  FeedConsumer* const consumer = call.consumer(0);
  if (consumer == nullptr) return nullptr;
  call.feed().leave(*consumer);
  call.handle->consumers[call.u32(0)].reset();
  return nullptr;
}

// --- Supervision ---

napi_value evict(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  return call.live() ? boolean(env, call.feed().evict(call.u32(0))) : nullptr;
}

napi_value evicted(napi_env env, napi_callback_info info) {
  const Call<0> call(env, info);
  return call.live() ? number(env, call.feed().evicted()) : nullptr;
}

// inspect(ticket, out: Uint32Array): exists, occupied, busy, batches, answers, started, settled.
napi_value inspect(napi_env env, napi_callback_info info) {
  const Call<2> call(env, info);
  if (!call.live()) return nullptr;
  auto* const out = call.elements<std::uint32_t>(1, napi_uint32_array, 7);
  if (out == nullptr) return nullptr;
  const Feed::SeatReport report = call.feed().inspect(call.u32(0));
  out[0] = report.exists;
  out[1] = report.occupied;
  out[2] = report.busy;
  out[3] = report.batches;
  out[4] = report.answers;
  out[5] = report.started;
  out[6] = report.settled;
  return nullptr;
}

napi_value ping(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  if (call.live()) call.feed().ping(call.u32(0));
  return nullptr;
}

napi_value members(napi_env env, napi_callback_info info) {
  const Call<0> call(env, info);
  return call.live() ? number(env, call.feed().members()) : nullptr;
}

// --- Ends and figures ---

napi_value close(napi_env env, napi_callback_info info) {
  const Call<0> call(env, info);
  if (call.live()) call.feed().close();
  return nullptr;
}

napi_value discard(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  if (call.live()) call.feed().discard(call.flag(0));
  return nullptr;
}

napi_value closing(napi_env env, napi_callback_info info) {
  const Call<0> call(env, info);
  return call.live() ? boolean(env, call.feed().closing()) : nullptr;
}

napi_value empty(napi_env env, napi_callback_info info) {
  const Call<0> call(env, info);
  return call.live() ? boolean(env, call.feed().empty()) : nullptr;
}

napi_value watch_empty(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  if (call.live()) call.feed().watch_empty(call.flag(0));
  return nullptr;
}

// detachView(buffer): takes an arena() away from whoever still holds it.
napi_value detach_view(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  napi_detach_arraybuffer(env, call.arguments[0]);
  return nullptr;
}

napi_value trim(napi_env env, napi_callback_info info) {
  const Call<0> call(env, info);
  if (call.live()) call.feed().trim();
  return nullptr;
}

napi_value detach(napi_env env, napi_callback_info info) {
  Call<0>(env, info).handle->detach();
  return nullptr;
}

napi_value stats(napi_env env, napi_callback_info info) {
  const Call<0> call(env, info);
  if (!call.live()) return nullptr;
  const FeedStats stats = call.feed().stats();
  const std::pair<const char*, double> fields[] = {
      {"offered", static_cast<double>(stats.offered)},
      {"accepted", static_cast<double>(stats.accepted)},
      {"delivered", static_cast<double>(stats.delivered)},
      {"failed", static_cast<double>(stats.failed)},
      {"conflated", static_cast<double>(stats.conflated)},
      {"newest", static_cast<double>(stats.dropped_newest)},
      {"oldest", static_cast<double>(stats.dropped_oldest)},
      {"sampled", static_cast<double>(stats.dropped_sampled)},
      {"timeout", static_cast<double>(stats.dropped_timeout)},
      {"closed", static_cast<double>(stats.dropped_closed)},
      {"waiting", static_cast<double>(stats.waiting)},
      {"leased", static_cast<double>(stats.leased)},
      {"highWater", static_cast<double>(stats.high_water)},
      {"p50", static_cast<double>(stats.latency_p50_ns)},
      {"p99", static_cast<double>(stats.latency_p99_ns)},
      {"max", static_cast<double>(stats.latency_max_ns)},
      {"pushP50", static_cast<double>(stats.push_p50_ns)},
      {"pushP99", static_cast<double>(stats.push_p99_ns)},
      {"pushMax", static_cast<double>(stats.push_max_ns)},
  };
  napi_value result = nullptr;
  napi_create_object(env, &result);
  for (const auto& [name, value] : fields) set(env, result, name, number(env, value));
  return result;
}

napi_value memory_plan(napi_env env, napi_callback_info info) {
  const Call<0> call(env, info);
  if (!call.live()) return nullptr;
  const FeedMemoryPlan plan = call.feed().memory_plan();
  napi_value result = nullptr;
  napi_create_object(env, &result);
  set(env, result, "messages", number(env, static_cast<double>(plan.messages)));
  set(env, result, "allocator", number(env, static_cast<double>(plan.allocator)));
  set(env, result, "entries", number(env, static_cast<double>(plan.entries)));
  set(env, result, "keys", number(env, static_cast<double>(plan.keys)));
  set(env, result, "consumers", number(env, static_cast<double>(plan.consumers)));
  set(env, result, "feed", number(env, static_cast<double>(plan.feed)));
  return result;
}

napi_value address(napi_env env, napi_callback_info info) {
  const Call<0> call(env, info);
  if (!call.live()) return nullptr;
  napi_value result = nullptr;
  napi_create_bigint_uint64(env, call.handle->shared->address(), &result);
  return result;
}

// --- The handle ---

constexpr struct {
  const char* name;
  napi_callback function;
} kMethods[] = {
    {"push", push<&Feed::push>},
    {"pushAgain", push<&Feed::push_again>},
    {"waitForRoom", wait_for_room},
    {"giveUp", give_up},
    {"noteWait", note_wait},
    {"slowPushes", slow_pushes},
    {"waitsForItself", waits_for_itself},
    {"openDoorbell", open_doorbell},
    {"closeDoorbell", close_doorbell},
    {"holdLoop", hold_loop},
    {"arena", arena},
    {"openGroup", open_group},
    {"closeGroup", close_group},
    {"removeSeat", remove_seat},
    {"occupy", occupy},
    {"table", table},
    {"next", next},
    {"answer", answer},
    {"leave", leave},
    {"evict", evict},
    {"evicted", evicted},
    {"inspect", inspect},
    {"ping", ping},
    {"members", members},
    {"close", close},
    {"discard", discard},
    {"closing", closing},
    {"empty", empty},
    {"watchEmpty", watch_empty},
    {"detachView", detach_view},
    {"trim", trim},
    {"detach", detach},
    {"stats", stats},
    {"memoryPlan", memory_plan},
    {"address", address},
};

// The object that JavaScript holds: functions bound to the handle, the key cell and the options.
// The object must be reachable while its functions are called, which src/ sees to.
napi_value wrap(napi_env env, std::shared_ptr<SharedFeed> feed) {
  const FeedOptions& options = feed->feed->options();
  const SharedToken token = feed->token();
  auto* const handle = new Handle(env, std::move(feed));
  napi_value object = nullptr;
  napi_value key = nullptr;
  void* cell = nullptr;
  napi_create_object(env, &object);
  const auto finalize = [](napi_env, void* data, void*) { delete static_cast<Handle*>(data); };
  if (napi_wrap(env, object, handle, finalize, nullptr, nullptr) != napi_ok) {
    delete handle;
    return nullptr;
  }
  // Its memory neither moves nor goes while the object refers to it.
  if (napi_create_arraybuffer(env, sizeof(FeedKey), &cell, &key) != napi_ok) return nullptr;
  std::memset(cell, 0, sizeof(FeedKey));
  handle->key = static_cast<std::uint8_t*>(cell);
  for (const auto& [name, function] : kMethods) {
    napi_value method = nullptr;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, function, handle, &method);
    set(env, object, name, method);
  }
  set(env, object, "keyCell", key);
  set(env, object, "id", number(env, token.id));
  set(env, object, "nonce", number(env, static_cast<double>(token.nonce)));
  set(env, object, "capacity", number(env, options.capacity));
  set(env, object, "maxMessageBytes", number(env, options.max_message_bytes));
  set(env, object, "keyKind", number(env, static_cast<double>(options.key)));
  set(env, object, "blockTimeoutMs", number(env, static_cast<double>(options.block_timeout_ms)));
  return object;
}

// create(options): the fields of FeedOptions, in JavaScript's spelling, all of them checked.
napi_value create(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  const napi_value given = call.arguments[0];
  FeedOptions options;
  options.capacity = static_cast<std::uint32_t>(get_number(env, given, "capacity"));
  options.max_message_bytes = static_cast<std::uint32_t>(get_number(env, given, "maxMessageBytes"));
  options.max_bytes = static_cast<std::size_t>(get_number(env, given, "maxBytes"));
  options.max_keys = static_cast<std::uint32_t>(get_number(env, given, "maxKeys"));
  options.sample_every = static_cast<std::uint32_t>(get_number(env, given, "sampleEvery"));
  options.key = static_cast<FeedKeyKind>(get_number(env, given, "key"));
  options.overflow = static_cast<FeedOverflow>(get_number(env, given, "overflow"));
  options.block_timeout_ms = static_cast<std::int64_t>(get_number(env, given, "blockTimeoutMs"));
  options.warn_push_after_ns =
      static_cast<std::int64_t>(get_number(env, given, "warnPushAfterUs") * 1e3);
  auto feed = std::make_shared<Feed>();
  if (const SystemError error = feed->open(options)) return fail(env, error);
  return wrap(env, SharedFeed::make(std::move(feed)));
}

// attach(id, nonce): null when no thread holds the feed any more.
napi_value attach(napi_env env, napi_callback_info info) {
  const Call<2> call(env, info);
  double nonce = 0;
  napi_get_value_double(env, call.arguments[1], &nonce);
  auto feed = SharedFeed::find({call.u32(0), static_cast<std::uint64_t>(nonce)});
  if (feed != nullptr) return wrap(env, std::move(feed));
  napi_value none = nullptr;
  napi_get_null(env, &none);
  return none;
}

napi_value initialize(napi_env env, napi_value exports) {
  const auto add = [&](const char* name, napi_callback function) {
    napi_value value = nullptr;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value);
    set(env, exports, name, value);
  };
  add("create", create);
  add("attach", attach);
  set(env, exports, "copy", number(env, static_cast<double>(SharedFeed::copy_nonce())));
  napi_value layout = nullptr;
  napi_create_object(env, &layout);
  set(env, layout, "tableBytes", number(env, LeaseTable::kBytes));
  set(env, layout, "headerBytes", number(env, LeaseTable::kHeaderBytes));
  set(env, layout, "rowBytes", number(env, LeaseTable::kRowBytes));
  set(env, layout, "maxRows", number(env, LeaseTable::kMaxRows));
  set(env, layout, "maxSeats", number(env, FeedSeats::kMaxSeats));
  set(env, exports, "layout", layout);
  return exports;
}

}  // namespace

NAPI_MODULE_INIT() { return initialize(env, exports); }
