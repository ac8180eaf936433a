#pragma once

#include <napi.h>
#include <node_api.h>

#include <algorithm>
#include <iterator>
#include <string>

#include "connections.h"
#include "environment.h"

// What there is to count. Part of binding.cc.

namespace {

using namespace millrace;

// stats(server, into): in the order of native.ts's StatsField.
Napi::Value stats(const Napi::CallbackInfo& info) {
  SharedServer* server = owned(info);
  if (server == nullptr) return Napi::Boolean::New(info.Env(), false);
  PipelineCore& core = server->pipeline.core;
  const PipelineCounters& n = core.counters;
  auto out = info[1].As<Napi::Float64Array>();
  std::size_t i = 0;
  const auto put = [&](auto value) { out[i++] = static_cast<double>(value); };
  const auto get = [&](const PipelineCounters::Counter& counter) {
    put(counter.load(std::memory_order_relaxed));
  };
  put(core.table.open_count());
  get(n.accepted);
  for (const auto& counter : n.rejected) get(counter);
  for (const auto& counter : n.closed) get(counter);
  get(n.bytes_read);
  get(n.bytes_written);
  get(n.operations_stale);
  const PublishedFigures::Counts published = n.published.counts();
  put(published.offered);
  for (const auto outcome :
       {PublishedFigures::kDelivered, PublishedFigures::kConflated, PublishedFigures::kOldest,
        PublishedFigures::kSlow, PublishedFigures::kClosed, PublishedFigures::kMemory,
        PublishedFigures::kWaiting}) {
    put(published.of[outcome]);
  }
  get(n.read_paused_ns);
  put(core.receive_queue.capacity());
  put(core.receive_queue.depth());
  put(core.receive_queue.high_water());
  put(core.receive_queue.passed());
  std::uint64_t depth = 0, high_water = 0, passed = 0, used = 0;
  for (Outbox& outbox : core.outboxes) {
    depth += outbox.depth();
    high_water = std::max<std::uint64_t>(high_water, outbox.high_water());
    passed += outbox.passed();
    used += outbox.used.load(std::memory_order_relaxed) ? 1 : 0;
  }
  put(used * Outbox::kRing);
  put(depth);
  put(high_water);
  put(passed);
  const SlabStats slab = core.store.slab().stats();
  put(slab.in_use_bytes);
  put(slab.committed_bytes);
  put(core.store.exhausted());
  put(core.memory_short.load(std::memory_order_relaxed) ? 1 : 0);
  put(server->unannounced());
  return Napi::Boolean::New(info.Env(), true);
}

// worker(server, index, into): received, handled, failed, dropped, in flight, capacity, depth, high
// water, passed, running ms, attached, running position.
Napi::Value worker_stats(const Napi::CallbackInfo& info) {
  SharedServer* server = owned(info);
  if (server == nullptr) return Napi::Boolean::New(info.Env(), false);
  Inbox& inbox = *server->pipeline.core.inboxes[u32(info[1])];
  auto out = info[2].As<Napi::Float64Array>();
  const MessageLedger ledger = inbox.ledger();
  const std::int64_t since = inbox.batch.since_ns.load(std::memory_order_relaxed);
  const double values[] = {
      static_cast<double>(ledger.received),
      static_cast<double>(ledger.handled),
      static_cast<double>(ledger.failed),
      static_cast<double>(ledger.dropped),
      static_cast<double>(ledger.in_flight),
      static_cast<double>(inbox.capacity()),
      static_cast<double>(inbox.depth()),
      static_cast<double>(inbox.high_water()),
      static_cast<double>(inbox.passed()),
      since == 0 ? 0 : static_cast<double>(monotonic_ns() - since) / 1e6,
      inbox.consumed.load(std::memory_order_acquire) ? 1.0 : 0.0,
      static_cast<double>(inbox.control(kControlRunning)),
  };
  for (std::size_t i = 0; i < std::size(values); ++i) out[i] = values[i];
  return Napi::Boolean::New(info.Env(), true);
}

// runningConnection(server, worker): the row of the connection whose message a stuck worker is on.
Napi::Value running_connection(const Napi::CallbackInfo& info) {
  SharedServer* server = owned(info);
  Napi::Value row = info.Env().Undefined();
  if (server == nullptr) return row;
  Inbox& inbox = *server->pipeline.core.inboxes[u32(info[1])];
  ConnectionKey key;
  if (!inbox.running_key(key)) return row;
  with(server->pipeline.core, key,
       [&](Connection& c) { row = connection_info(info.Env(), c, coarse_ms()); });
  return row;
}

// setEndReason(server, worker, reason): why the connections close that a dying worker loses.
Napi::Value set_end_reason(const Napi::CallbackInfo& info) {
  if (SharedServer* server = owned(info)) {
    server->pipeline.core.inboxes[u32(info[1])]->end_reason.store(
        static_cast<CloseReason>(u32(info[2])), std::memory_order_relaxed);
  }
  return info.Env().Undefined();
}

Napi::Object layout(Napi::Env env) {
  Napi::Object out = Napi::Object::New(env);
  const auto set = [&](const char* name, double value) { out.Set(name, value); };
  set("controlWords", kControlWords);
  set("operationList", kOperationListCapacity);
  set("descriptorBytes", sizeof(InboundDescriptor));
  set("operationBytes", sizeof(OutboundOperation));
  set("publishHeaderBytes", sizeof(PublishHeader));
  set("inReopen", kInReopen);
  set("inExactEcho", kInExactEcho);
  set("outActivate", kOutActivate);
  set("outWantsDrain", kOutWantsDrain);
  set("opCountWord", kControlOpCount);
  set("frameIncomplete", kFrameIncomplete);
  set("closeReasons", kCloseReasons);
  set("rejectReasons", kRejectReasons);
  set("outBlockBytes", Outbox::kOutBlockBytes);
  return out;
}

}  // namespace
