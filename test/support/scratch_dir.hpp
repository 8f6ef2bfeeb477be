#pragma once

#include <filesystem>

namespace dynconf::test {

/// A directory that is removed at the end, in memory where there is room. What killed tests left behind is removed by
/// the next one.
class scratch_dir {
public:
    scratch_dir();
    scratch_dir(const scratch_dir&) = delete;
    scratch_dir& operator=(const scratch_dir&) = delete;
    ~scratch_dir();

    const std::filesystem::path& path() const noexcept { return path_; }

private:
    std::filesystem::path path_;
    int owner_ = -1;  // locked as long as this process lives
};

}  // namespace dynconf::test
