-- As landed: every row of every file, with the file and the row's ordinal in it.
SELECT * FROM source
