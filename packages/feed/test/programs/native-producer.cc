// An addon with threads of its own that push into a feed, as the callbacks of a vendor's library
// would.
#include <millrace/feed.h>
#include <node_api.h>

#include <cstdint>
#include <thread>
#include <vector>

namespace {

std::vector<std::thread>* threads = new std::vector<std::thread>;

// start(address, messages, firstKey): a thread pushes so many messages, or until the feed is
// closed.
napi_value start(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  std::size_t count = 3;
  std::uint64_t address = 0;
  std::uint32_t messages = 0;
  std::uint32_t first_key = 0;
  bool lossless = false;
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  napi_get_value_bigint_uint64(env, arguments[0], &address, &lossless);
  napi_get_value_uint32(env, arguments[1], &messages);
  napi_get_value_uint32(env, arguments[2], &first_key);
  millrace_feed* const feed = millrace_feed_open(address);
  if (feed == nullptr) {
    napi_throw_error(env, nullptr, "no feed of this version");
    return nullptr;
  }
  threads->emplace_back([=] {
    for (std::uint32_t i = 0; i < messages; ++i) {
      const std::uint64_t key = first_key;
      if (millrace_feed_push(feed, &i, sizeof(i), &key) == MILLRACE_FEED_CLOSED) break;
    }
    millrace_feed_release(feed);
  });
  return nullptr;
}

napi_value join(napi_env, napi_callback_info) {
  for (std::thread& thread : *threads) thread.join();
  threads->clear();
  return nullptr;
}

}  // namespace

NAPI_MODULE_INIT() {
  napi_value function;
  napi_create_function(env, "start", NAPI_AUTO_LENGTH, start, nullptr, &function);
  napi_set_named_property(env, exports, "start", function);
  napi_create_function(env, "join", NAPI_AUTO_LENGTH, join, nullptr, &function);
  napi_set_named_property(env, exports, "join", function);
  return exports;
}
