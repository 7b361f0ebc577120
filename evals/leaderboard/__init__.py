"""A leaderboard as a folder of submissions: one file each, checked by recomputation, ranked with ties."""
