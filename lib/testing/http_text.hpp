#pragma once

#include <dynconf/testing/faults.hpp>

#include "testing/gateway_words.hpp"
#include "testing/server_profile.hpp"

#include <string>
#include <string_view>

namespace dynconf::testing {

// What a member answers, in the bytes of HTTP/1.1: as etcd writes it, but for the date and what it tells browsers.

std::string http_text(const server_profile& profile, const reply& r, const exchange_fault& wrong = {});
/// Of a stream; it has no type yet when it ends without a line.
std::string http_stream_head(const server_profile& profile, bool without_lines);
/// One line of it.
std::string http_line(const server_profile& profile, std::string_view line);

}  // namespace dynconf::testing
