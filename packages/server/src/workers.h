#pragma once

#include <napi.h>
#include <node_api.h>

#include <memory>

#include "doorbells.h"
#include "environment.h"
#include "views.h"

// The functions of a worker's or publisher's thread: batches in, operations out. Part of
// binding.cc.

namespace {

using namespace millrace;

constexpr int kBatchesATurn = 16;

// Runs batches until there is nothing, or JavaScript is due a turn of its loop.
void drain(Attachment& a) {
  Consumer& consumer = *a.consumer;
  const napi_env env = a.env;
  napi_value global = nullptr;
  napi_value on_batch = nullptr;
  napi_get_global(env, &global);
  napi_get_reference_value(env, a.on_batch, &on_batch);
  for (int round = 0; round < kBatchesATurn; ++round) {
    std::uint64_t first = 0;
    const std::uint32_t count = consumer.begin_batch(first);
    if (count == 0) {
      if (consumer.try_sleep()) return;
      continue;
    }
    napi_value arguments[2];
    napi_create_uint32(env, static_cast<std::uint32_t>(first), &arguments[0]);
    napi_create_uint32(env, count, &arguments[1]);
    if (napi_call_function(env, global, on_batch, 2, arguments, nullptr) == napi_ok) {
      if (!consumer.attached()) return;  // a handler closed the server
      consumer.end_batch();
      continue;
    }
    // The thread is being terminated: the batch stays as it stands, for detach() to settle.
    if (!consumer.attached() || consumer.inbox().control(kControlState) != 0) return;
    consumer.end_batch();
    napi_value error = nullptr;
    if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
  }
  napi_value on_busy = nullptr;
  napi_get_reference_value(env, a.on_busy, &on_busy);
  napi_call_function(env, global, on_busy, 0, nullptr, nullptr);
}

// Takes the thread's hands off the server. The doorbell goes first: after detach() no native thread
// is in, or will come into, the thread-safe function.
void let_go(Attachment& a) {
  if (a.consumer) {
    a.consumer->inbox().doorbell().detach();
    a.consumer->detach(a.end_reason);
  }
  if (a.publisher) a.publisher->close();
  if (a.bell != nullptr) {
    napi_release_threadsafe_function(a.bell, napi_tsfn_abort);
    a.bell = nullptr;
  }
}

void end_attachment(void* data) {
  Attachment& a = *static_cast<Attachment*>(data);
  if (a.consumer) {
    a.end_reason = a.consumer->inbox().end_reason.load(std::memory_order_relaxed);
  }
  let_go(a);
}

// By a token in the first two arguments. nullptr: closed, if some view still keeps its memory, or
// never there.
std::shared_ptr<SharedServer> find_running(const Napi::CallbackInfo& info) {
  const auto nonce = static_cast<std::uint64_t>(info[1].As<Napi::Number>().Int64Value());
  auto server = SharedServer::find({u32(info[0]), nonce});
  if (server == nullptr || server->pipeline.core.stopping.load(std::memory_order_seq_cst))
    return nullptr;
  return server;
}

// Waits until the sender has done what a predecessor's end left for it: the connections that it
// lost are closing then. The sender waits for nobody; what stops the pipeline ends this too.
void wait_for_predecessor(Consumer& consumer) {
  PipelineCore& core = consumer.core();
  Outbox& outbox = *consumer.inbox().outbox;
  const auto empty = [&] { return outbox.depth() == 0; };
  core.sender_parker.unpark();
  while (!core.stopping.load(std::memory_order_seq_cst)) {
    if (outbox.room().park(empty, 20'000'000)) return;
  }
}

// attach(serverId, nonce, worker, onBatch, onBusy): undefined when the server is gone, null when
// another consumer is attached or memory is short.
Napi::Value attach(const Napi::CallbackInfo& info) {
  Environment& env = environment(info);
  auto server = find_running(info);
  if (server == nullptr) return info.Env().Undefined();
  const std::uint32_t worker = u32(info[2]);
  auto a = std::make_unique<Attachment>(server);
  a->env = info.Env();
  a->consumer = std::make_unique<Consumer>(server->pipeline.core, worker);
  if (!a->consumer->attach()) return info.Env().Null();
  wait_for_predecessor(*a->consumer);
  napi_create_reference(a->env, info[3], 1, &a->on_batch);
  napi_create_reference(a->env, info[4], 1, &a->on_busy);
  a->bell = make_bell(a->env, "millrace.worker", a.get(),
                      [](napi_env called, napi_value, void* context, void*) {
                        if (called != nullptr) drain(*static_cast<Attachment*>(context));
                      });
  // What keeps the thread alive is the server's own function, or the worker's port to its server.
  napi_unref_threadsafe_function(a->env, a->bell);
  // After the function was made: hooks run last in, first out.
  napi_add_env_cleanup_hook(a->env, &end_attachment, a.get());
  a->hooked = true;
  Inbox& inbox = a->consumer->inbox();
  const std::uint32_t id = ++env.last_attachment;
  Napi::Object out = views(info.Env(), *a, id, inbox.memory(),
                           Inbox::bytes(server->pipeline.core.options.inbox_capacity));
  Napi::Array open = Napi::Array::New(info.Env());
  a->consumer->for_each_open([&](const Connection& c) {
    open.Set(open.Length(), Napi::Number::New(info.Env(), c.key.fd));
    open.Set(open.Length(), Napi::Number::New(info.Env(), c.key.sequence));
  });
  out.Set("open", open);
  env.attachments.emplace(id, std::move(a));
  return out;
}

// discard(server, worker): see Consumer::discard().
Napi::Value discard(const Napi::CallbackInfo& info) {
  if (SharedServer* server = owned(info)) {
    Consumer consumer(server->pipeline.core, u32(info[1]));
    if (consumer.attach()) {
      consumer.discard(CloseReason::kError);
      consumer.detach(CloseReason::kError);
    }
  }
  return info.Env().Undefined();
}

// begin(attachment): messages may come from now on.
Napi::Value begin(const Napi::CallbackInfo& info) {
  Attachment* a = attached(info);
  if (a == nullptr) return info.Env().Undefined();
  a->consumer->inbox().doorbell().attach(&ring_bell, a->bell);
  ring_bell(a->bell);
  return info.Env().Undefined();
}

Napi::Value publisher(const Napi::CallbackInfo& info) {
  Environment& env = environment(info);
  auto server = find_running(info);
  if (server == nullptr) return info.Env().Undefined();
  auto a = std::make_unique<Attachment>(server);
  a->env = info.Env();
  const std::size_t words =
      kControlWords + kOperationListCapacity * (sizeof(OutboundOperation) / sizeof(std::uint32_t));
  a->publisher_memory.reset(new std::uint32_t[words]());
  a->publisher = std::make_unique<Outbound>(server->pipeline.core);
  std::uint32_t* memory = a->publisher_memory.get();
  if (!a->publisher->open(memory, reinterpret_cast<OutboundOperation*>(memory + kControlWords))) {
    return info.Env().Null();
  }
  napi_add_env_cleanup_hook(a->env, &end_attachment, a.get());
  a->hooked = true;
  const std::uint32_t id = ++env.last_attachment;
  Napi::Object out = views(info.Env(), *a, id, memory, words * sizeof(std::uint32_t));
  env.attachments.emplace(id, std::move(a));
  return out;
}

Napi::Value drain_now(const Napi::CallbackInfo& info) {
  if (Attachment* a = attached(info)) drain(*a);
  return info.Env().Undefined();
}

// detach(attachment, bridge, arena, sent): this thread's views become empty, its hold ends.
Napi::Value detach(const Napi::CallbackInfo& info) {
  Environment& env = environment(info);
  Attachment* a = attached(info);
  if (a == nullptr) return info.Env().Undefined();
  a->end_reason = CloseReason::kServer;
  let_go(*a);
  for (std::size_t i = 1; i < info.Length(); ++i) napi_detach_arraybuffer(info.Env(), info[i]);
  if (a->hooked) napi_remove_env_cleanup_hook(a->env, &end_attachment, a);
  if (a->on_batch != nullptr) napi_delete_reference(a->env, a->on_batch);
  if (a->on_busy != nullptr) napi_delete_reference(a->env, a->on_busy);
  env.attachments.erase(u32(info[0]));
  return info.Env().Undefined();
}

Napi::Value flush(const Napi::CallbackInfo& info) {
  Attachment* a = attached(info);
  if (a == nullptr) return info.Env().Undefined();
  if (a->consumer) {
    a->consumer->flush();
  } else {
    a->publisher->flush();
  }
  return info.Env().Undefined();
}

// Hands over what there is and gives an empty output block.
Napi::Value next_block(const Napi::CallbackInfo& info) {
  Attachment* a = attached(info);
  if (a == nullptr) return info.Env().Undefined();
  a->outbound().flush();
  a->outbound().take_block();
  return info.Env().Undefined();
}

Napi::Value park(const Napi::CallbackInfo& info) {
  Attachment* a = attached(info);
  if (a == nullptr || !a->consumer) return number(info, Consumer::kNoHandle);
  Inbox& inbox = a->consumer->inbox();
  // The position came as 32 bits of the 64.
  const std::uint64_t base = inbox.read_position();
  const std::uint64_t position = base + (u32(info[1]) - static_cast<std::uint32_t>(base));
  std::uint32_t offset = 0;
  std::uint32_t parts = 0;
  const std::uint32_t handle = a->consumer->park(position, offset, parts);
  inbox.memory()[kControlResultA] = offset;
  inbox.memory()[kControlResultB] = parts;
  return number(info, handle);
}

Napi::Value parked_block(const Napi::CallbackInfo& info) {
  Attachment* a = attached(info);
  return number(info, a == nullptr ? kNoBlock : a->consumer->parked_block(u32(info[1])));
}

Napi::Value unpark(const Napi::CallbackInfo& info) {
  Attachment* a = attached(info);
  if (a != nullptr && a->consumer) a->consumer->unpark(u32(info[1]));
  return info.Env().Undefined();
}

}  // namespace
