#pragma once

#include <dynconf/key_ring.hpp>
#include <dynconf/options.hpp>
#include <dynconf/rotation.hpp>

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace dynconf::tool {

/// What the command line and the environment ask for.
struct request {
    enum class command { watch, get, put, del, rotate, status };

    command what = command::status;
    client_options client;
    std::vector<std::string> keys;  ///< Prefixes for watch, one for rotate, else at most one.
    std::string value;
    bool prefix = false;
    bool keys_only = false;
    bool json = false;
    std::optional<key_ring> ring;   ///< For rotate.
    rotation_options rotation;
};

/// 0: done. 1: failed. 2: not understood.
enum exit_code : int { succeeded = 0, failed = 1, usage = 2 };

/// The request; or how to end, where there is nothing (more) to do: help and errors are printed already.
std::variant<request, exit_code> parse_command_line(int argc, const char* const* argv);

}  // namespace dynconf::tool
