//! Whole models, each one file that reads like its lesson.
