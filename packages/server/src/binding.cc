// The addon of @millrace/server: converts, checks and throws. What a server is stands in
// millrace/server; native.ts describes these functions.

#include <napi.h>
#include <node_api.h>

#include <utility>

#include "connections.h"
#include "doorbells.h"
#include "environment.h"
#include "figures.h"
#include "servers.h"
#include "views.h"
#include "workers.h"

namespace {

Napi::Object init(Napi::Env env, Napi::Object exports) {
  // A worker that ends without letting go is let go by its attachments' own hooks, which run before
  // this data is freed.
  env.SetInstanceData(new Environment());
  using Function = Napi::Value (*)(const Napi::CallbackInfo&);
  const std::pair<const char*, Function> functions[] = {
      {"memoryPlan", memory_plan},
      {"create", create},
      {"token", token},
      {"lastSyscall", last_syscall},
      {"listen", listen},
      {"localAddress", local_address_of},
      {"control", control},
      {"destroy", destroy},
      {"onAnnounced", on_announced},
      {"setReferenced", set_referenced},
      {"attach", attach},
      {"begin", begin},
      {"discard", discard},
      {"publisher", publisher},
      {"drain", drain_now},
      {"detach", detach},
      {"flush", flush},
      {"nextBlock", next_block},
      {"park", park},
      {"parkedBlock", parked_block},
      {"unpark", unpark},
      {"setPaused", set_paused},
      {"setIdleTimeout", set_idle_timeout},
      {"info", info_of},
      {"connections", connections},
      {"announced", announced},
      {"subscribe", subscribe},
      {"unsubscribe", unsubscribe},
      {"subscribers", subscribers},
      {"stats", stats},
      {"worker", worker_stats},
      {"runningConnection", running_connection},
      {"setEndReason", set_end_reason},
  };
  for (const auto& [name, function] : functions) {
    exports.Set(name, Napi::Function::New(env, function, name));
  }
  exports.Set("layout", layout(env));
  exports.Set("copy", Napi::Number::New(env, static_cast<double>(SharedServer::copy_nonce())));
  return exports;
}

}  // namespace

NODE_API_MODULE(millrace_server, init)
