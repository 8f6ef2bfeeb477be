#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace dynconf {

enum class log_level : std::uint8_t { debug, info, warning, error };

/// One thing that happened. `event` is a stable name such as "watch_interrupted"; `text` is for people.
/// Neither ever holds a secret.
struct log_record {
    log_level level = log_level::info;
    std::string_view event;
    std::string text;
};

/// Called on the library's strands: must be quick, must not throw, may be called from several threads at once.
using log_sink = std::function<void(const log_record&)>;

}  // namespace dynconf
