"""The steps of set-up after authorization, and the names of what they let people choose."""
