#pragma once

#include <dynconf/error.hpp>
#include <dynconf/secret.hpp>
#include <dynconf/tls_options.hpp>

#include "policy/file_changes.hpp"

#include <string>
#include <vector>

namespace dynconf::transport {

/// A file's content, which may be a key, by read_secret_file(). At most 16 MiB.
result<secret> read_file(const std::string& path);

/// The files of a directory, in order.
std::vector<std::string> files_in(const std::string& directory);

/// Whether there is anything that may change.
bool names_files(const tls_options& options);

/// Of all files that these options name, a directory and its files included.
policy::file_changes::stamps stamps_of(const tls_options& options);

}  // namespace dynconf::transport
