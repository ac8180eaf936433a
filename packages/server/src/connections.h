#pragma once

#include <napi.h>
#include <node_api.h>

#include <string>

#include "environment.h"

// The functions on single connections, and the lists of them. Part of binding.cc.

namespace {

using namespace millrace;

// setPaused(attachment, fd, sequence, bit, on)
Napi::Value set_paused(const Napi::CallbackInfo& info) {
  Attachment* a = attached(info);
  if (a == nullptr) return info.Env().Undefined();
  const auto bit = static_cast<PauseBit>(u32(info[3]));
  const bool on = info[4].As<Napi::Boolean>().Value();
  with(a->core(), key_at(info, 1), [&](Connection& c) {
    if (on) {
      a->core().pause(c, bit);
    } else {
      a->core().resume(c, bit);
    }
  });
  return info.Env().Undefined();
}

Napi::Value set_idle_timeout(const Napi::CallbackInfo& info) {
  Attachment* a = attached(info);
  if (a == nullptr) return info.Env().Undefined();
  with(a->core(), key_at(info, 1), [&](Connection& c) {
    c.idle_timeout_ms.store(u32(info[3]), std::memory_order_relaxed);
    c.touch(coarse_ms());
    if (a->core().table.closing(c)) return;
    a->core().timers.arm_by(c, [&] {
      CloseReason reason = CloseReason::kNone;
      return next_deadline(a->core().options, c, reason);
    });
  });
  return info.Env().Undefined();
}

Napi::Value connection_info(Napi::Env env, const Connection& c, std::uint64_t now_ms) {
  Napi::Array row = Napi::Array::New(env, 10);
  const auto set = [&](std::uint32_t i, double value) {
    row.Set(i, Napi::Number::New(env, value));
  };
  set(0, c.key.fd);
  set(1, c.key.sequence);
  if (c.family == AF_INET || c.family == AF_INET6) {
    char ip[INET6_ADDRSTRLEN] = {};
    ::inet_ntop(c.family, c.peer_ip, ip, sizeof ip);
    row.Set(2u, Napi::String::New(env, ip));
  }
  set(3, c.peer_port);
  set(4, static_cast<double>(c.bytes_read.load(std::memory_order_relaxed)));
  set(5, static_cast<double>(c.bytes_written.load(std::memory_order_relaxed)));
  set(6, c.backlog_bytes.load(std::memory_order_relaxed));
  set(7, static_cast<double>(wall_ms()) - static_cast<double>(now_ms - c.opened_ms));
  const std::uint64_t active = c.activity_ms.load(std::memory_order_relaxed);
  set(8, active > now_ms ? 0 : static_cast<double>(now_ms - active));
  set(9, c.family);
  return row;
}

// info(attachment, fd, sequence)
Napi::Value info_of(const Napi::CallbackInfo& info) {
  Attachment* a = attached(info);
  Napi::Value row = info.Env().Undefined();
  if (a == nullptr) return row;
  with(a->core(), key_at(info, 1),
       [&](Connection& c) { row = connection_info(info.Env(), c, coarse_ms()); });
  return row;
}

// connections(server): a row each. announced(server): those that were accepted since the last call.
Napi::Value connections(const Napi::CallbackInfo& info) {
  Napi::Array rows = Napi::Array::New(info.Env());
  SharedServer* server = owned(info);
  if (server == nullptr) return rows;
  const std::uint64_t now = coarse_ms();
  server->pipeline.for_each(
      [&](Connection& c) { rows.Set(rows.Length(), connection_info(info.Env(), c, now)); });
  return rows;
}

Napi::Value announced(const Napi::CallbackInfo& info) {
  Napi::Array rows = Napi::Array::New(info.Env());
  SharedServer* server = owned(info);
  if (server == nullptr) return rows;
  ConnectionKey key;
  while (rows.Length() < 256 && server->next_announced(key)) {
    with(server->pipeline.core, key, [&](Connection& c) {
      rows.Set(rows.Length(), connection_info(info.Env(), c, coarse_ms()));
    });
  }
  return rows;
}

// subscribe(attachment, fd, sequence, topic, pattern): 0 added (ticket in the scratch words),
// 1 already, 2 full, 3 the connection is gone.
Napi::Value subscribe(const Napi::CallbackInfo& info) {
  Attachment* a = attached(info);
  double outcome = 3;
  if (a == nullptr || !a->consumer) return number(info, outcome);
  with(a->core(), key_at(info, 1), [&](Connection& c) {
    TopicTable::Ticket ticket;
    outcome = static_cast<double>(a->core().topics.subscribe(
        c, bytes_of(info[3]), info[4].As<Napi::Boolean>().Value(), ticket));
    a->consumer->inbox().memory()[kControlResultA] = ticket.index;
    a->consumer->inbox().memory()[kControlResultB] = ticket.generation;
  });
  return number(info, outcome);
}

Napi::Value unsubscribe(const Napi::CallbackInfo& info) {
  Attachment* a = attached(info);
  bool removed = false;
  if (a != nullptr) {
    with(a->core(), key_at(info, 1), [&](Connection& c) {
      removed =
          a->core().topics.unsubscribe(c, bytes_of(info[3]), info[4].As<Napi::Boolean>().Value());
    });
  }
  return Napi::Boolean::New(info.Env(), removed);
}

// subscribers(attachment, exceptFd, exceptSequence, topic)
Napi::Value subscribers(const Napi::CallbackInfo& info) {
  Attachment* a = attached(info);
  if (a == nullptr) return number(info, 0);
  if (a->core().stopping.load(std::memory_order_relaxed)) return number(info, 0);
  return number(info, a->core().topics.count(bytes_of(info[3]), key_at(info, 1)));
}

}  // namespace
