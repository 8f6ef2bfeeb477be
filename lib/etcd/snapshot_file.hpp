#pragma once

#include <dynconf/error.hpp>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace dynconf::etcd {

/// A file that appears under its name only when it is whole: in blocking calls, not for a strand; one thread at a time.
class snapshot_file {
public:
    /// A new file beside `path`.
    static result<std::unique_ptr<snapshot_file>> create(std::filesystem::path path);
    snapshot_file(const snapshot_file&) = delete;
    snapshot_file& operator=(const snapshot_file&) = delete;
    /// Removes it unless it has its name.
    ~snapshot_file();
    /// The same at once, from any thread: whoever works on it yet works in vain.
    void abandon() noexcept;

    result<void> write(std::string_view bytes);
    /// It is whole, and on the disk: errc::malformed_response unless the last 32 bytes are the SHA-256 of all before them.
    result<void> seal();
    /// Gives it its name.
    result<void> publish();
    std::uint64_t size() const noexcept { return size_; }

private:
    struct digest;
    snapshot_file(std::filesystem::path path, std::string temporary, int fd);
    error failed(std::string_view step) const;

    std::filesystem::path path_;
    const std::string temporary_;
    std::atomic<bool> named_ = false;   // it has its name
    int fd_;
    std::unique_ptr<digest> digest_;
    std::string tail_;        // the last bytes so far, which may be the checksum
    std::uint64_t size_ = 0;
};

}  // namespace dynconf::etcd
