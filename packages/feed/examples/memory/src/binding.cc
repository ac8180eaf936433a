// One vendor's library, three ways out of its callback: wait for a JavaScript handler, call a
// thread-safe function, push into a feed.

#include <millrace/feed.h>
#include <node_api.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <vector>

#include "../../vendor/src/vendor_sdk.h"

namespace {

// A message on its way through a thread-safe function.
struct Parcel {
  std::uint32_t length;
  unsigned char bytes[];
};

// One for the process, which ends with it.
struct Way {
  vendor::Session* session = nullptr;
  millrace_feed* feed = nullptr;
  napi_threadsafe_function function = nullptr;
  std::atomic<std::uint64_t> queued{0};  // in the thread-safe function
  std::mutex lock;
  std::condition_variable returned;
  bool handled = false;
};
Way* const way = new Way;

void push_into_feed(void*, const void* bytes, std::uint32_t length, std::uint32_t instrument) {
  millrace_feed_push(way->feed, bytes, length, &instrument);
}

void call_function(void*, const void* bytes, std::uint32_t length, std::uint32_t) {
  auto* const parcel = static_cast<Parcel*>(std::malloc(sizeof(Parcel) + length));
  parcel->length = length;
  std::memcpy(parcel->bytes, bytes, length);
  way->queued.fetch_add(1, std::memory_order_relaxed);
  napi_call_threadsafe_function(way->function, parcel, napi_tsfn_nonblocking);
}

void wait_for_handler(void*, const void* bytes, std::uint32_t length, std::uint32_t instrument) {
  {
    const std::lock_guard guard(way->lock);
    way->handled = false;
  }
  call_function(nullptr, bytes, length, instrument);
  std::unique_lock guard(way->lock);
  way->returned.wait(guard, [] { return way->handled; });
}

void in_javascript(napi_env env, napi_value handler, void*, void* data) {
  auto* const parcel = static_cast<Parcel*>(data);
  way->queued.fetch_sub(1, std::memory_order_relaxed);
  if (env != nullptr) {
    napi_value undefined = nullptr;
    napi_value buffer = nullptr;
    napi_get_undefined(env, &undefined);
    napi_create_buffer_copy(env, parcel->length, parcel->bytes, nullptr, &buffer);
    napi_call_function(env, undefined, handler, 1, &buffer, nullptr);
  }
  std::free(parcel);
  {
    const std::lock_guard guard(way->lock);
    way->handled = true;
  }
  way->returned.notify_one();
}

double option(napi_env env, napi_value options, const char* name) {
  napi_value value = nullptr;
  double result = 0;
  napi_get_named_property(env, options, name, &value);
  napi_get_value_double(env, value, &result);
  return result;
}

void begin(napi_env env, napi_value given, vendor::Session::Callback callback) {
  vendor::Options options;
  options.per_second = option(env, given, "perSecond");
  options.burst_per_second = option(env, given, "burstPerSecond");
  options.burst_seconds = option(env, given, "burstSeconds");
  options.period_seconds = option(env, given, "periodSeconds");
  options.instruments = static_cast<std::uint32_t>(option(env, given, "instruments"));
  options.bytes = static_cast<std::uint32_t>(option(env, given, "bytes"));
  way->session = new vendor::Session(options, callback, nullptr);
}

// inside(handler, options), queued(handler, options)
template <vendor::Session::Callback kCallback>
napi_value with_function(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  std::size_t count = 2;
  napi_value name = nullptr;
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  napi_create_string_utf8(env, "vendor", NAPI_AUTO_LENGTH, &name);
  // A queue without a bound: what a thread-safe function has unless it is told otherwise.
  napi_create_threadsafe_function(env, arguments[0], nullptr, name, 0, 1, nullptr, nullptr, nullptr,
                                  &in_javascript, &way->function);
  begin(env, arguments[1], kCallback);
  return nullptr;
}

// feed(address, options)
napi_value with_feed(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  std::size_t count = 2;
  std::uint64_t address = 0;
  bool lossless = false;
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  napi_get_value_bigint_uint64(env, arguments[0], &address, &lossless);
  way->feed = millrace_feed_open(address);
  begin(env, arguments[1], &push_into_feed);
  return nullptr;
}

// figures(): { backlog, queued, sent, callbackP99Us, callbackMaxUs }
napi_value figures(napi_env env, napi_callback_info) {
  const std::vector<std::int64_t> times = way->session->callback_times();
  const auto microseconds = [&](std::size_t at) {
    return times.empty() ? 0.0 : static_cast<double>(times[at]) / 1e3;
  };
  const struct {
    const char* name;
    double value;
  } fields[] = {
      {"backlog", static_cast<double>(way->session->backlog())},
      {"queued", static_cast<double>(way->queued.load(std::memory_order_relaxed))},
      {"sent", static_cast<double>(way->session->sent())},
      {"callbackP99Us", microseconds(times.size() * 99 / 100)},
      {"callbackMaxUs", microseconds(times.size() - 1)},
  };
  napi_value result = nullptr;
  napi_create_object(env, &result);
  for (const auto& [name, value] : fields) {
    napi_value number = nullptr;
    napi_create_double(env, value, &number);
    napi_set_named_property(env, result, name, number);
  }
  return result;
}

}  // namespace

NAPI_MODULE_INIT() {
  const struct {
    const char* name;
    napi_callback function;
  } functions[] = {
      {"inside", with_function<&wait_for_handler>},
      {"queued", with_function<&call_function>},
      {"feed", with_feed},
      {"figures", figures},
  };
  for (const auto& [name, function] : functions) {
    napi_value value = nullptr;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value);
    napi_set_named_property(env, exports, name, value);
  }
  return exports;
}
