#pragma once

#include "millrace/server/pipeline_options.h"

namespace millrace {

// A small server: length-prefixed frames, one worker, no timeouts, limits that a test can reach.
inline PipelineOptions pipeline_test_options() {
  PipelineOptions options;
  options.framing.kind = FramingKind::kLengthPrefixed;
  options.workers = 1;
  options.max_connections = 256;
  options.descriptors = 1024;
  options.max_bytes = 16 << 20;
  options.inbox_capacity = 1024;
  options.max_subscriptions = 64;
  options.read_budget_bytes = 64 << 10;
  options.read_budget_us = 200;
  options.high_water_bytes = 64 << 10;
  options.low_water_bytes = 16 << 10;
  options.max_write_bytes = 1 << 20;
  return options;
}

}  // namespace millrace
